"""A catalogue as products, and every row that is none with the reason."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aisle.catalog.v1.product_pb2 import Product
from catalog.cells import RowProblem
from catalog.checking import check
from catalog.layouts import Format, find_layout
from catalog.mapping import CatalogError, Mapping
from catalog.products import from_proto_json, from_row
from catalog.rows import Row, is_table, read_rows


@dataclass(frozen=True)
class Rejected:
    """A row that is no product."""

    line: int
    reason: str


@dataclass(frozen=True)
class Source:
    """A catalogue's file and how its rows become products; no mapping means products in proto-JSON."""

    path: Path
    mapping: Mapping | None

    @classmethod
    def find(cls, path: Path, mapping: Mapping | None = None, layout: Format = "auto") -> "Source":
        """Find the file and layout of a catalogue; raises CatalogError saying what is missing."""
        return cls(*find_layout(path, mapping, layout))

    def fingerprint(self) -> str:
        """Return a hash of the file and the mapping, to know a repeated load by."""
        whole = hashlib.sha256(self.mapping.model_dump_json().encode() if self.mapping else b"")
        with self.path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
        return whole.hexdigest()

    def count(self) -> int:
        """Return the number of rows."""
        return sum(1 for _ in read_rows(self.path))

    def read(self) -> Iterator[tuple[int, Product | Rejected]]:
        """Yield (line, product or why there is none) of every row; a repeated id is rejected."""
        lines: dict[str, int] = {}
        for place, row in enumerate(read_rows(self.path)):
            if place == 0:
                self._require_columns(row)
            yield row.line, self._read(row, lines)

    def _require_columns(self, row: Row) -> None:
        """Raise CatalogError when a table lacks a column of the mapping: no row would have that part."""
        if self.mapping is None or row.problem or not is_table(self.path):
            return
        missing = sorted(self.mapping.columns() - row.values.keys())
        if missing:
            held = ", ".join(map(str, row.values))
            raise CatalogError(f"{self.path} has no column {', '.join(missing)}; its columns are {held}")

    def _read(self, row: Row, lines: dict[str, int]) -> Product | Rejected:
        try:
            if row.problem:
                raise RowProblem(row.problem)
            product = from_row(row.values, self.mapping) if self.mapping else from_proto_json(row.values)
            check(product)
            first = lines.setdefault(product.id, row.line)
            if first != row.line:
                raise RowProblem(f"id {product.id!r} was on line {first} already")
        except RowProblem as problem:
            return Rejected(row.line, str(problem))
        return product

"""A catalogue as products, and every row that is none with the reason."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from aisle.catalog.v1.product_pb2 import Product
from catalog.cells import RowProblem
from catalog.checking import check
from catalog.layouts import Format, find_layout
from catalog.mapping import CatalogError, Mapping
from catalog.products import from_proto_json, from_row
from catalog.rows import Row, is_table, read_rows

Item = TypeVar("Item")


@dataclass(frozen=True)
class Rejected:
    """A row that is no item."""

    line: int
    reason: str


class RowSource(ABC, Generic[Item]):
    """A file whose rows become items, each known by an id of its own."""

    path: Path

    @abstractmethod
    def described(self) -> str:
        """Return what decides, beside the file, which items its rows become."""

    @abstractmethod
    def required(self) -> AbstractSet[str]:
        """Return the columns that a table must have."""

    @abstractmethod
    def item(self, values: dict[str, Any]) -> tuple[str, Item]:
        """Return a row's item and its id; raises RowProblem saying why there is none."""

    def fingerprint(self) -> str:
        """Return a hash of the file and of `described`, to know a repeated load by."""
        whole = hashlib.sha256(self.described().encode())
        with self.path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
        return whole.hexdigest()

    def count(self) -> int:
        """Return the number of rows."""
        return sum(1 for _ in read_rows(self.path))

    def read(self) -> Iterator[tuple[int, Item | Rejected]]:
        """Yield (line, item or why there is none) of every row; a repeated id is rejected."""
        lines: dict[str, int] = {}
        for place, row in enumerate(read_rows(self.path)):
            if place == 0:
                self._require_columns(row)
            yield row.line, self._read(row, lines)

    def _require_columns(self, row: Row) -> None:
        """Raise CatalogError when a table lacks a column: no row would have that part."""
        missing = sorted(self.required() - row.values.keys())
        if missing and is_table(self.path) and not row.problem:
            held = ", ".join(map(str, row.values))
            raise CatalogError(
                f"{self.path} has no column {', '.join(missing)}; its columns are {held}: say which is what "
                "with --mapping"
            )

    def _read(self, row: Row, lines: dict[str, int]) -> Item | Rejected:
        try:
            if row.problem:
                raise RowProblem(row.problem)
            identifier, item = self.item(row.values)
            first = lines.setdefault(identifier, row.line)
            if first != row.line:
                raise RowProblem(f"id {identifier!r} was on line {first} already")
        except RowProblem as problem:
            return Rejected(row.line, str(problem))
        return item


@dataclass(frozen=True)
class Source(RowSource[Product]):
    """A catalogue's file and how its rows become products; no mapping means products in proto-JSON."""

    path: Path
    mapping: Mapping | None

    @classmethod
    def find(cls, path: Path, mapping: Mapping | None = None, layout: Format = "auto") -> "Source":
        """Find the file and layout of a catalogue; raises CatalogError saying what is missing."""
        return cls(*find_layout(path, mapping, layout))

    def described(self) -> str:
        """Return the mapping, nothing without one."""
        return self.mapping.model_dump_json() if self.mapping else ""

    def required(self) -> AbstractSet[str]:
        """Return the columns that the mapping names."""
        return self.mapping.columns() if self.mapping else frozenset()

    def item(self, values: dict[str, Any]) -> tuple[str, Product]:
        """Return a row's product and its id; raises RowProblem."""
        product = from_row(values, self.mapping) if self.mapping else from_proto_json(values)
        check(product)
        return product.id, product

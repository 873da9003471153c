"""A catalogue as products, and every row that is none with the reason."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aisle.catalog.v1.product_pb2 import Product
from catalog.checking import check
from catalog.mapping import ESCI, CatalogError, Mapping
from catalog.products import RowProblem, from_proto_json, from_row
from catalog.rows import Row, read_rows

Format = Literal["auto", "mapped", "proto-json", "esci"]

_ESCI_FILES = ("products.jsonl.gz", "products.jsonl")


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
        if not path.exists():
            raise CatalogError(f"there is no catalogue at {path}")
        if path.is_dir() or layout == "esci":
            return cls(_esci_file(path), mapping or ESCI)
        if mapping is not None:
            return cls(path, mapping)
        if layout == "mapped" or not path.name.removesuffix(".gz").endswith((".jsonl", ".json")):
            raise CatalogError(f"{path} needs a mapping file: say which column is what with --mapping")
        return cls(path, None)

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
        for row in read_rows(self.path):
            yield row.line, self._read(row, lines)

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


def _esci_file(folder: Path) -> Path:
    for name in _ESCI_FILES:
        if (folder / name).is_file():
            return folder / name
    raise CatalogError(f"{folder} holds none of {', '.join(_ESCI_FILES)}; name the catalogue's file itself")

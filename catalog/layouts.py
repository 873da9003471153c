"""The layouts that are known by their files: no mapping has to be written for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from catalog.mapping import CatalogError, Category, Mapping, Price
from catalog.rows import read_rows

Format = Literal["auto", "mapped", "proto-json", "esci", "bestbuy"]


@dataclass(frozen=True)
class Layout:
    """Files that a folder may hold, the column that tells this layout, and what its columns are.

    No mapping means products in protobuf's JSON.
    """

    files: Sequence[str]
    column: str
    mapping: Mapping | None


LAYOUTS: dict[str, Layout] = {
    # The Amazon ESCI subset with its metadata; its prices are in US dollars.
    "esci": Layout(
        ("products.jsonl.gz", "products.jsonl"),
        "asin",
        Mapping(
            id="asin",
            title={"en": ["title"]},
            description={"en": ["bullet_points", "description"]},
            brand="brand",
            category=Category(column="category"),
            price=Price(column="price", currency="USD"),
            rating="rating",
            review_count="rating_count",
            attributes={"color": "color"},
            images=["image"],
        ),
    ),
    # Best Buy's sample catalogue has no id; the picture's name begins with the shop's number.
    "bestbuy": Layout(
        ("ecommerce.json.gz", "ecommerce.json"),
        "categories",
        Mapping(
            id="image",
            id_pattern=r"/(\d+)_[^/]*$",
            title={"en": ["name"]},
            description={"en": ["description"]},
            brand="brand",
            category=Category(column="categories"),
            price=Price(column="price", currency="USD"),
            images=["image"],
        ),
    ),
    "proto-json": Layout(("products.jsonl", "products.jsonl.gz"), "id", None),
}


def find_layout(path: Path, mapping: Mapping | None, layout: Format) -> tuple[Path, Mapping | None]:
    """Return a catalogue's file and mapping, None for protobuf's JSON.

    A mapping that is given wins over the layout's own. Raises CatalogError saying what is missing.
    """
    if not path.exists():
        raise CatalogError(f"there is no catalogue at {path}")
    if layout == "mapped" and mapping is None:
        raise CatalogError(f"{path} needs a mapping file: say which column is what with --mapping")
    wanted = LAYOUTS if layout in ("auto", "mapped") else {str(layout): LAYOUTS[layout]}
    if path.is_dir():
        file, found = _in_folder(path, wanted)
        return file, mapping or found.mapping
    if mapping is not None:
        return path, mapping
    if layout == "auto":
        return path, _of_file(path).mapping
    return path, LAYOUTS[layout].mapping


def _in_folder(folder: Path, wanted: dict[str, Layout]) -> tuple[Path, Layout]:
    held = [(folder / name, each) for each in wanted.values() for name in each.files]
    for file, found in held:
        if file.is_file() and (len(wanted) == 1 or found.column in _columns(file)):
            return file, found
    names = ", ".join(dict.fromkeys(file.name for file, _ in held))
    raise CatalogError(f"{folder} holds no known layout ({names}); name the catalogue's file itself")


def _of_file(path: Path) -> Layout:
    """Tell a file's layout by its name and first row; JSON of no known name is protobuf's."""
    name = path.name.removesuffix(".gz")
    if not name.endswith((".jsonl", ".ndjson", ".json")):
        raise CatalogError(f"{path} needs a mapping file: say which column is what with --mapping")
    for found in LAYOUTS.values():
        if path.name in found.files and found.column in _columns(path):
            return found
    return LAYOUTS["proto-json"]


def _columns(path: Path) -> set[str]:
    """The columns of the first row that can be read."""
    return next((set(row.values) for row in read_rows(path) if not row.problem), set())

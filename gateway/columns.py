"""What the products found say of a field, value by value."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aisle.catalog.v1.columns_pb2 import DictionaryColumn, ProductColumns


@dataclass(frozen=True)
class TextColumn:
    """The texts of one field, `field` being its name in a filter. A product's first value counts."""

    field: str
    column: DictionaryColumn

    def holding(self, accepts: Callable[[str], bool]) -> list[str]:
        """Return the distinct values that are accepted."""
        return [value for value in self.column.values if accepts(value)]

    def rows(self, values: Sequence[str]) -> list[bool]:
        """Return for each product whether it has one of the values."""
        chosen = set(values)
        table = [value in chosen for value in self.column.values]
        return [index >= 0 and table[index] for index in self.column.indices]


def text_columns(products: ProductColumns) -> list[TextColumn]:
    """Return the brand and every attribute that any of the products has, by name."""
    columns = [TextColumn(_attribute(key), products.attributes[key]) for key in sorted(products.attributes)]
    return [TextColumn("brand", products.brands), *columns] if products.brands.values else columns


def column_of(products: ProductColumns, key: str) -> TextColumn | None:
    """Return the column of an attribute key, or of "brand"; None when no product has it."""
    field = "brand" if key == "brand" else _attribute(key)
    return next((each for each in text_columns(products) if each.field == field), None)


def quoted(text: str) -> str:
    """Return `text` as a string of the filter language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def any_of(field: str, values: Sequence[str]) -> str:
    """Return the condition that a field has one of the values."""
    listed = " OR ".join(map(quoted, values))
    return f"{field} = {listed}" if len(values) == 1 else f"{field} = ({listed})"


def _attribute(key: str) -> str:
    return f"attributes.{quoted(key)}"

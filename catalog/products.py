"""A product from a row."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format

from aisle.catalog.v1 import product_pb2
from aisle.catalog.v1.product_pb2 import Product
from catalog.mapping import Mapping


class RowProblem(Exception):
    """A row is no product; the message names the column or field and what is wrong with it."""


def from_proto_json(values: dict[str, Any]) -> Product:
    """Return the product that is written in the row as protobuf's JSON. Raises RowProblem."""
    try:
        return json_format.ParseDict(values, Product())
    except json_format.ParseError as error:
        raise RowProblem(str(error)) from error


def from_row(values: dict[str, Any], mapping: Mapping) -> Product:
    """Return the product of a row read through `mapping`. Raises RowProblem."""
    product = Product(id=_text(values, mapping.id), brand=_text(values, mapping.brand))
    for language, columns in mapping.title.items():
        _put_text(product.title, language, values, columns)
    for language, columns in mapping.description.items():
        _put_text(product.description, language, values, columns)
    for key, column in mapping.attributes.items():
        found = _texts(values, column)
        if found:
            product.attributes[key].values.extend(found)
    for column in mapping.images:
        product.images.extend(product_pb2.Image(uri=uri) for uri in _texts(values, column))
    _put_category(product, values, mapping)
    _put_price(product, values, mapping)
    _put_numbers(product, values, mapping)
    _put_availability(product, values, mapping)
    _put_time(product, values, mapping)
    return product


def _put_text(target: Any, language: str, values: dict[str, Any], columns: Sequence[str]) -> None:
    text = " ".join(part for column in columns if (part := _text(values, column)))
    if text:
        target[language] = text


def _put_category(product: Product, values: dict[str, Any], mapping: Mapping) -> None:
    if mapping.category is None:
        return
    held = values.get(mapping.category.column)
    parts = (
        held
        if isinstance(held, list)
        else _text(values, mapping.category.column).split(mapping.category.separator)
    )
    product.category_path.extend(part for each in parts if (part := str(each).strip()))


def _put_price(product: Product, values: dict[str, Any], mapping: Mapping) -> None:
    if mapping.price is None:
        return
    amount = _number(values, mapping.price.column)
    if amount is not None:
        product.price.amount = amount
        product.price.currency_code = _text(values, mapping.price.currency_column) or mapping.price.currency


def _put_numbers(product: Product, values: dict[str, Any], mapping: Mapping) -> None:
    rating = _number(values, mapping.rating)
    share = _number(values, mapping.positive_review_share)
    count = _number(values, mapping.review_count)
    if rating is not None:
        product.rating = rating
    if share is not None:
        product.positive_review_share = share
    if count is not None:
        if count != int(count) or not 0 <= count < 2**31:
            raise RowProblem(f"column {mapping.review_count!r} must be a whole number from 0, got {count:g}")
        product.review_count = int(count)


def _put_availability(product: Product, values: dict[str, Any], mapping: Mapping) -> None:
    if mapping.availability is None:
        return
    told = _text(values, mapping.availability.column).casefold()
    if told:
        yes = told in {each.casefold() for each in mapping.availability.in_stock}
        product.availability = (
            product_pb2.AVAILABILITY_IN_STOCK if yes else product_pb2.AVAILABILITY_OUT_OF_STOCK
        )


def _put_time(product: Product, values: dict[str, Any], mapping: Mapping) -> None:
    held = values.get(mapping.create_time) if mapping.create_time else None
    if held in (None, ""):
        return
    try:
        if isinstance(held, datetime):
            instant = held
        elif isinstance(held, int | float) or str(held).isdigit():
            instant = datetime.fromtimestamp(float(held), UTC)
        else:
            instant = datetime.fromisoformat(str(held))
    except (ValueError, OverflowError, OSError) as error:
        raise RowProblem(f"column {mapping.create_time!r} is no time: {held!r}") from error
    product.create_time.FromDatetime(instant if instant.tzinfo else instant.replace(tzinfo=UTC))


def _text(values: dict[str, Any], column: str) -> str:
    held = values.get(column) if column else None
    if held is None or (isinstance(held, float) and math.isnan(held)):
        return ""
    if isinstance(held, float) and held.is_integer():
        return str(int(held))  # ids that passed through a spreadsheet
    return " ".join(map(str, held)).strip() if isinstance(held, list) else str(held).strip()


def _texts(values: dict[str, Any], column: str) -> list[str]:
    held = values.get(column)
    parts = held if isinstance(held, list) else [_text(values, column)]
    return list(dict.fromkeys(part for each in parts if (part := str(each).strip())))


def _number(values: dict[str, Any], column: str) -> float | None:
    """Return a column's number, None where it is empty; what is not a number is a problem, not a gap."""
    held = values.get(column) if column else None
    if held is None or held == "":
        return None
    try:
        return float(str(held).replace(",", ""))
    except ValueError as error:
        raise RowProblem(f"column {column!r} must be a number, got {held!r}") from error

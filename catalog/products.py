"""A product from a row."""

import re
from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format

from aisle.catalog.v1 import product_pb2
from aisle.catalog.v1.product_pb2 import Product
from catalog.cells import RowProblem, Values, instant, number, text, texts, whole_number
from catalog.mapping import Mapping


def from_proto_json(values: Values) -> Product:
    """Return the product that is written in the row as protobuf's JSON. Raises RowProblem."""
    try:
        return json_format.ParseDict(values, Product())
    except json_format.ParseError as error:
        raise RowProblem(str(error)) from error


def from_row(values: Values, mapping: Mapping) -> Product:
    """Return the product of a row read through `mapping`. Raises RowProblem."""
    product = Product(
        id=_id(values, mapping), brand=text(values, mapping.brand), group_id=text(values, mapping.group)
    )
    for language, columns in mapping.title.items():
        _put_text(product.title, language, values, columns)
    for language, columns in mapping.description.items():
        _put_text(product.description, language, values, columns)
    for key, column in mapping.attributes.items():
        found = texts(values, column)
        if found:
            product.attributes[key].values.extend(found)
    for column in mapping.images:
        product.images.extend(product_pb2.Image(uri=uri) for uri in texts(values, column))
    _put_category(product, values, mapping)
    _put_price(product, values, mapping)
    _put_numbers(product, values, mapping)
    _put_availability(product, values, mapping)
    _put_time(product, values, mapping)
    return product


def _put_text(target: Any, language: str, values: Values, columns: Sequence[str]) -> None:
    found = " ".join(part for column in columns if (part := text(values, column)))
    if found:
        target[language] = found


def _id(values: Values, mapping: Mapping) -> str:
    found = text(values, mapping.id)
    if not mapping.id_pattern:
        return found
    match = re.search(mapping.id_pattern, found)
    return match[1] if match else ""


def _put_category(product: Product, values: Values, mapping: Mapping) -> None:
    if mapping.category is None:
        return
    column = mapping.category.column
    if isinstance(values.get(column), list):
        product.category_path.extend(
            part for each in values[column] if (part := text({column: each}, column))
        )
    else:
        parts = text(values, column).split(mapping.category.separator)
        product.category_path.extend(part.strip() for part in parts if part.strip())


def _put_price(product: Product, values: Values, mapping: Mapping) -> None:
    if mapping.price is None:
        return
    amount = number(values, mapping.price.column)
    if amount is not None:
        product.price.amount = amount
        product.price.currency_code = text(values, mapping.price.currency_column) or mapping.price.currency


def _put_numbers(product: Product, values: Values, mapping: Mapping) -> None:
    rating = number(values, mapping.rating)
    share = number(values, mapping.positive_review_share)
    if rating is not None:
        product.rating = rating
    if share is not None:
        product.positive_review_share = share
    product.review_count = whole_number(values, mapping.review_count) or 0


def _put_availability(product: Product, values: Values, mapping: Mapping) -> None:
    if mapping.availability is None:
        return
    told = text(values, mapping.availability.column).casefold()
    if told:
        yes = told in {each.casefold() for each in mapping.availability.in_stock}
        product.availability = (
            product_pb2.AVAILABILITY_IN_STOCK if yes else product_pb2.AVAILABILITY_OUT_OF_STOCK
        )


def _put_time(product: Product, values: Values, mapping: Mapping) -> None:
    since = instant(values, mapping.create_time)
    if since is not None:
        product.create_time.FromDatetime(since)

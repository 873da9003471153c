"""A small shop with every kind of fact a filter asks for."""

from aisle.catalog.v1.product_pb2 import Product
from tests.retrieval.builders import product, unit_rows

COUNT = 300
COLORS = ("black", "Red", "白色")
GOODS = ("cotton shirt", "winter boots", "cordless drill", "electric kettle", "desk lamp")


def _made(number: int) -> Product:
    made = product(
        f"p/{number:03}",
        f"{COLORS[number % 3]} {GOODS[number % 5]} model x{number}",
        brand=f"Brand {number % 4}" if number % 11 else "",
        price=float(number) if number % 13 else None,
        rating=(number % 41) / 10 if number % 2 else None,
        review_count=number % 50,
        category=("Goods", f"c{number % 7}"),
        available=number % 10 != 0,
        group=f"g{number // 3}",
    )
    made.attributes["color"].values.append(COLORS[number % 3])
    if number % 100 == 7:
        made.attributes['odd "key" 👕=x'].values.extend(["one", "two"])
        made.create_time.FromJsonString("2026-03-01T12:00:00Z")
    return made


PRODUCTS = [_made(number) for number in range(COUNT)]
EMBEDDINGS = unit_rows(COUNT)

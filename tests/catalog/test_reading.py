"""Catalogues in every format: what becomes a product, and what is told of the rest."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aisle.catalog.v1.product_pb2 import AVAILABILITY_IN_STOCK, AVAILABILITY_OUT_OF_STOCK, Product
from catalog.mapping import CatalogError, Mapping, read_mapping
from catalog.reading import Rejected, Source

MAPPING = """
id: sku
title: {en: name, zh: 名称}
description: {en: [about, bullets]}
group: model
brand: maker
category: {column: path, separator: " > "}
price: {column: cost, currency: CNY}
rating: stars
review_count: reviews
attributes: {color: colour}
images: picture
availability: {column: stock, in_stock: ["yes"]}
create_time: since
"""
ROW: dict[str, Any] = {
    "sku": "A1",
    "name": "Red shoe",
    "名称": "红色鞋",
    "about": "Soft.",
    "bullets": "Light.",
    "model": "trainer-7",
    "maker": "Strideon",
    "path": "shoes > trainers",
    "cost": "1,299.5",
    "stars": "4.5",
    "reviews": "12",
    "colour": "red",
    "picture": "https://shop.example/a1.png",
    "stock": "yes",
    "since": "2026-01-02T03:04:05+00:00",
}


@pytest.fixture
def mapping(tmp_path: Path) -> Mapping:
    path = tmp_path / "mapping.yaml"
    path.write_text(MAPPING, encoding="utf-8")
    return read_mapping(path)


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    else:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        data = gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode()
        path.write_bytes(data)
    return path


def _read(path: Path, mapping: Mapping | None = None) -> list[Product | Rejected]:
    return [row for _, row in Source.find(path, mapping).read()]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet"])
def test_every_format_gives_the_same_product(name: str, tmp_path: Path, mapping: Mapping) -> None:
    (product,) = _read(_write(tmp_path / name, [ROW]), mapping)
    assert isinstance(product, Product)
    assert (product.id, product.brand, product.group_id) == ("A1", "Strideon", "trainer-7")
    assert dict(product.title) == {"en": "Red shoe", "zh": "红色鞋"}
    assert product.description["en"] == "Soft. Light."
    assert list(product.category_path) == ["shoes", "trainers"]
    assert (product.price.amount, product.price.currency_code) == (1299.5, "CNY")
    assert (product.rating, product.review_count) == (4.5, 12)
    assert list(product.attributes["color"].values) == ["red"]
    assert product.images[0].uri.endswith("a1.png")
    assert product.availability == AVAILABILITY_IN_STOCK
    assert product.create_time.ToJsonString() == "2026-01-02T03:04:05Z"


def test_empty_cells_are_gaps_and_not_zeros(tmp_path: Path, mapping: Mapping) -> None:
    empty = dict.fromkeys(ROW, "") | {"sku": "A2", "name": "Lamp", "stock": "sold out"}
    (product,) = _read(_write(tmp_path / "a.csv", [empty]), mapping)
    assert isinstance(product, Product)
    assert not product.HasField("price") and not product.HasField("rating")
    assert not product.HasField("create_time") and not product.attributes
    assert product.availability == AVAILABILITY_OUT_OF_STOCK


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sku": ""}, "id must be 1 to 128 bytes, got 0"),
        ({"sku": "字" * 50}, "id must be 1 to 128 bytes, got 150"),
        ({"name": "", "名称": ""}, "title must not be empty"),
        ({"name": "x" * 2001}, "title[en] must be at most 2000 characters, got 2001"),
        ({"cost": "-1"}, "price must be finite and not negative, got -1"),
        ({"cost": "nan"}, "price must be finite and not negative, got nan"),
        ({"cost": "cheap"}, "column 'cost' must be a number, got 'cheap'"),
        ({"stars": "6"}, "rating must be 0 to 5, got 6"),
        ({"reviews": "1.5"}, "column 'reviews' must be a whole number from 0, got 1.5"),
        ({"reviews": "nan"}, "column 'reviews' must be a whole number from 0, got nan"),
        ({"reviews": "inf"}, "column 'reviews' must be a whole number from 0, got inf"),
        ({"cost": "19,90"}, "column 'cost' must be a number, got '19,90'"),
        ({"cost": "e5"}, "column 'cost' must be a number, got 'e5'"),
        ({"since": "yesterday"}, "column 'since' is no time: 'yesterday'"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "column 'since' is no time: '0001-01-01T00:00:00+14:00'"),
    ],
)
def test_bad_row_is_rejected_with_line_and_reason(
    change: dict[str, str], reason: str, tmp_path: Path, mapping: Mapping
) -> None:
    good, bad = _read(_write(tmp_path / "a.csv", [ROW, ROW | {"sku": "B"} | change]), mapping)
    assert isinstance(good, Product)
    assert bad == Rejected(3, reason)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "\ud800"}, "column 'name' holds half a character (an unpaired surrogate)"),
        ({"name": {"en": "x"}}, "column 'name' must be a text, got dict"),
        ({"colour": ["red", ["blue"]]}, "column 'colour' must be a text, got list"),
        ({"cost": True}, "column 'cost' must be a number, got True"),
        ({"sku": "a\nb"}, "id must not hold control characters"),
    ],
)
def test_bad_json_value_is_rejected_with_reason(
    change: dict[str, Any], reason: str, tmp_path: Path, mapping: Mapping
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ROW | change) + "\n", encoding="utf-8")
    assert _read(path, mapping) == [Rejected(1, reason)]


def test_table_without_a_mapped_column_is_refused(tmp_path: Path, mapping: Mapping) -> None:
    row = {column: value for column, value in ROW.items() if column != "maker"}
    with pytest.raises(CatalogError, match="has no column maker; its columns are sku, name"):
        _read(_write(tmp_path / "a.csv", [row]), mapping)


def test_repeated_id_names_the_first_line(tmp_path: Path, mapping: Mapping) -> None:
    _, again = _read(_write(tmp_path / "a.jsonl", [ROW, ROW]), mapping)
    assert again == Rejected(2, "id 'A1' was on line 1 already")


def test_broken_lines_do_not_hide_the_good_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": "A", "title": {"en": "x"}}\n{"id": \n\xff\xfe\n[1]\n\n{"idd": 1}\n')
    product, *rest = _read(path)
    assert isinstance(product, Product)
    assert [each.line for each in rest if isinstance(each, Rejected)] == [2, 3, 4, 6]
    reasons = [each.reason for each in rest if isinstance(each, Rejected)]
    assert reasons[0].startswith("is not JSON") and reasons[1] == "is not UTF-8"
    assert reasons[2] == "is no JSON object" and "idd" in reasons[3]


def test_csv_row_in_another_encoding_is_named(tmp_path: Path, mapping: Mapping) -> None:
    path = _write(tmp_path / "a.csv", [ROW])
    path.write_bytes(path.read_bytes() + "B1,红色运动鞋子,,,,,,,,,,,,\r\n".encode("gb18030"))
    assert _read(path, mapping)[1] == Rejected(3, "is not UTF-8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: {en: name}", "id: Field required"),
        ("id: sku\ntitle: {en: name}\ncolour: x", "colour: Extra inputs"),
        ("id: [", "cannot be read"),
        ("id: sku\ntitle: {en: name}\nprice: {column: p, currency: yuan}", "price.currency"),
    ],
)
def test_wrong_mapping_names_the_entry(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match=message):
        read_mapping(path)


def test_catalogue_that_cannot_be_read_says_what_to_do(tmp_path: Path, mapping: Mapping) -> None:
    with pytest.raises(CatalogError, match="no catalogue at"):
        Source.find(tmp_path / "absent.jsonl")
    with pytest.raises(CatalogError, match="--mapping"):
        Source.find(_write(tmp_path / "a.csv", [ROW]))
    broken = tmp_path / "b.parquet"
    broken.write_bytes(b"PAR1 no")
    with pytest.raises(CatalogError, match="cannot be read"):
        _read(broken, mapping)
    whole = gzip.compress(b'{"id": "A", "title": {"en": "x"}}\n' * 2000)
    for name, data in (("c", whole[: len(whole) // 2]), ("d", whole[:30] + b"\x00\xff" + whole[32:])):
        damaged = tmp_path / f"{name}.jsonl.gz"
        damaged.write_bytes(data)
        with pytest.raises(CatalogError, match="cannot be read"):
            _read(damaged)
    with pytest.raises(CatalogError, match="no known layout"):
        Source.find(tmp_path)


def test_esci_folder_is_read_whole(real_data: Path) -> None:
    rows = _read(real_data / "esci_us")
    products = [row for row in rows if isinstance(row, Product)]
    assert len(products) == len(rows) == 6764
    assert sum(product.HasField("price") for product in products) == 1990
    assert {product.price.currency_code for product in products if product.HasField("price")} == {"USD"}


def test_bestbuy_folder_gives_every_product_an_id(real_data: Path) -> None:
    rows = _read(real_data / "bestbuy_catalog")
    products = [row for row in rows if isinstance(row, Product)]
    assert len(products) == len(rows) == 3291
    assert all(product.id.isdigit() and product.category_path for product in products)


def test_folder_of_the_demo_shop_is_told_from_esci(tmp_path: Path) -> None:
    _write(tmp_path / "products.jsonl", [{"id": "p1", "title": {"zh": "灯"}}])
    (product,) = _read(tmp_path)
    assert isinstance(product, Product) and product.title["zh"] == "灯"

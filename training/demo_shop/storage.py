"""The demo shop's files.

products.jsonl   proto-JSON of aisle.catalog.v1.Product, one a line
queries.jsonl    one `Query` a line; users.jsonl, reviews.jsonl likewise
log.parquet      one row per product shown: request_id, session_id, user_id, query_id, split, event_seconds,
                 position, product_id, clicked, carted, purchased, relevance, attractiveness, examination,
                 click_probability, conversion_probability
images/          PNG pictures that products share by type and colour
fingerprint.json what the shop was made from; written last
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from google.protobuf import json_format

from aisle.catalog.v1.product_pb2 import Product
from training.demo_shop.schema import (
    Aspect,
    DemoShop,
    PastEvent,
    Query,
    QueryPrice,
    QuerySlot,
    Request,
    Review,
    User,
)

PRODUCTS, QUERIES, REVIEWS, USERS = "products.jsonl", "queries.jsonl", "reviews.jsonl", "users.jsonl"
LOG, FINGERPRINT = "log.parquet", "fingerprint.json"
_ARRAYS = {
    "clicked": np.bool_,
    "carted": np.bool_,
    "purchased": np.bool_,
    "relevance": np.float32,
    "attractiveness": np.float32,
    "examination": np.float32,
    "click_probability": np.float32,
    "conversion_probability": np.float32,
}


def load(root: Path | str) -> DemoShop:
    """Read a demo shop; raises FileNotFoundError naming the command that makes one."""
    folder = Path(root)
    if not (folder / FINGERPRINT).is_file():
        raise FileNotFoundError(
            f"no demo shop in {folder}; make one: python -m training.demo_shop --out {folder}"
        )
    return DemoShop(
        root=folder,
        products=tuple(json_format.ParseDict(record, Product()) for record in _lines(folder / PRODUCTS)),
        queries=tuple(_query(record) for record in _lines(folder / QUERIES)),
        reviews=tuple(_review(record) for record in _lines(folder / REVIEWS)),
        users=tuple(_user(record) for record in _lines(folder / USERS)),
        log=tuple(_requests(pq.read_table(folder / LOG))),
    )


def save(shop: DemoShop) -> None:
    """Write all records of `shop` to its root, which exists; pictures and fingerprint are written apart."""
    products = (json_format.MessageToDict(product) for product in shop.products)
    _write_lines(shop.root / PRODUCTS, products)
    _write_lines(shop.root / QUERIES, map(asdict, shop.queries))
    _write_lines(shop.root / REVIEWS, map(asdict, shop.reviews))
    _write_lines(shop.root / USERS, map(asdict, shop.users))
    pq.write_table(_table(shop.log), shop.root / LOG, compression="zstd")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _write_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n")


def _query(record: dict[str, Any]) -> Query:
    slots = tuple(QuerySlot(**slot) for slot in record.pop("slots"))
    price = record.pop("price")
    return Query(**record, slots=slots, price=QueryPrice(**price) if price else None)


def _user(record: dict[str, Any]) -> User:
    return User(**record | {"history": tuple(PastEvent(**event) for event in record["history"])})


def _review(record: dict[str, Any]) -> Review:
    aspects = tuple(Aspect(**aspect) for aspect in record.pop("aspects"))
    return Review(**record, aspects=aspects)


def _table(log: Sequence[Request]) -> pa.Table:
    lengths = [len(request.product_ids) for request in log]

    def spread(name: str, kind: pa.DataType) -> pa.Array:
        values = [getattr(request, name) for request in log for _ in request.product_ids]
        return pa.array(values, kind)

    columns = {
        "request_id": spread("id", pa.string()),
        "session_id": spread("session_id", pa.string()),
        "user_id": spread("user_id", pa.string()),
        "query_id": spread("query_id", pa.string()),
        "split": spread("split", pa.string()),
        "event_seconds": spread("event_seconds", pa.int64()),
        "position": pa.array([place for length in lengths for place in range(1, length + 1)], pa.int32()),
        "product_id": pa.array([each for request in log for each in request.product_ids], pa.string()),
    }
    for name, dtype in _ARRAYS.items():
        rows = [np.empty(0, dtype), *(getattr(request, name) for request in log)]
        columns[name] = pa.array(np.concatenate(rows))
    return pa.table(columns)


def _requests(table: pa.Table) -> Iterator[Request]:
    columns: dict[str, Any] = {name: table[name].to_numpy() for name in table.column_names}
    ids = columns["request_id"]
    if not len(ids):
        return
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    for start, end in zip(starts, np.r_[starts[1:], len(ids)], strict=True):
        yield Request(
            id=ids[start],
            session_id=columns["session_id"][start],
            user_id=columns["user_id"][start],
            query_id=columns["query_id"][start],
            split=columns["split"][start],
            event_seconds=int(columns["event_seconds"][start]),
            product_ids=tuple(columns["product_id"][start:end]),
            **{name: columns[name][start:end] for name in _ARRAYS if name != "click_probability"},
        )

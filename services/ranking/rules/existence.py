"""Whether the products that rules name exist."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, cast

import grpc

from aisle.gateway.v1.gateway_pb2 import GetProductRequest
from aisle.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from services.ranking.rules.reading import Problem, line_of
from services.ranking.rules.schema import RuleFile

_TIMEOUT_SECONDS = 10.0


def in_catalog(path: Path) -> set[str]:
    """Return the ids in a catalogue of one JSON object with an `id` a line; raises ValueError on another."""
    ids = set()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            ids.add(str(json.loads(line)["id"]))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}: must be a JSON object with an `id`") from error
    return ids


def in_gateway(address: str, wanted: Collection[str]) -> set[str]:
    """Return which of `wanted` a running gateway knows; raises grpc.RpcError when it does not answer."""
    known = set()
    with grpc.insecure_channel(address) as channel:
        stub: Any = GatewayServiceStub(channel)
        for product in wanted:
            try:
                stub.GetProduct(GetProductRequest(id=product), timeout=_TIMEOUT_SECONDS)
            except grpc.RpcError as error:
                if cast(grpc.Call, error).code() is not grpc.StatusCode.NOT_FOUND:
                    raise
            else:
                known.add(product)
    return known


def named(file: RuleFile) -> set[str]:
    """Return the ids of all products that the rules name."""
    return {product for rule in file.rules for product in rule.named_products}


def unknown(file: RuleFile, text: str, known: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for every product named that is not among `known`."""
    for place, rule in enumerate(file.rules):
        action = next(name for name in ("pin", "boost", "bury", "hide") if getattr(rule, name) is not None)
        for number, product in enumerate(rule.named_products):
            if product not in known:
                path = ("rules", place, action, "products", number)
                yield Problem(
                    line_of(text, path),
                    f"rules[{place}].{action}.products[{number}]",
                    f"the catalogue holds no product {product!r}; correct the id or take it out",
                )

"""Searching with an embedding that came with the query, and without one that does not fit."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from aisle.catalog.v1.embedding_pb2 import QueryEmbedding
from aisle.retrieval.v1.retrieval_pb2 import ForUser, RetrieveRequest, RetrieveResponse
from runtime.inference.encoder import EMBEDDING, TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.retrieval.text import question
from tests.retrieval.served import PRODUCTS, metric_of
from tests.rpc_errors import error_of, fields_of
from tests.runtime.processes import Running

assert PRODUCTS  # what the service holds here

Embed = Callable[[str], QueryEmbedding]


@pytest.fixture(scope="module")
def embed(models_root: Path) -> Embed:
    """The embedding that intent's pass would make, as the retriever makes it."""
    model = TextModel.open(ModelStore(models_root), "retriever", InferenceSettings(models=models_root))
    manifest = model.manifest

    def of(query: str) -> QueryEmbedding:
        (result,) = model.run_sync([manifest.query_prefix + question(query)])
        values = result.outputs[EMBEDDING].tolist()
        return QueryEmbedding(text=query, embedding_space=manifest.embedding_space, values=values)

    return of


def sources(server: Running) -> dict[str, float]:
    """How many searches took their embedding from where, and which given ones were not used."""
    found = {
        **metric_of(server, "aisle_query_embeddings_total"),
        **metric_of(server, "aisle_query_embeddings_unused_total"),
    }
    return {label: value for (label,), value in found.items()}


def grown(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {
        name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)
    }


def whole(answer: RetrieveResponse) -> RetrieveResponse:
    """The answer but for the time it took."""
    del answer.stages[:]
    return answer


async def test_a_given_embedding_is_searched_with_and_nothing_is_encoded(
    stub: Any, server: Running, embed: Embed
) -> None:
    query = "waterproof boots for hiking"
    before = sources(server)
    answer = await stub.Retrieve(RetrieveRequest(query=query, query_embedding=embed(query)))
    assert grown(before, sources(server)) == {"given": 1}
    assert "retrieval/encode" not in {each.stage for each in answer.stages}
    assert not answer.degraded
    assert whole(answer) == whole(await stub.Retrieve(RetrieveRequest(query=query)))
    assert grown(before, sources(server)) == {"given": 1, "encoded": 1}


async def test_the_same_search_is_remembered_and_a_filtered_one_finds_what_it_would_alone(
    stub: Any, server: Running, embed: Embed
) -> None:
    query = "shirt for a hot summer"
    request = RetrieveRequest(query=query, query_embedding=embed(query))
    first, again = await stub.Retrieve(request), await stub.Retrieve(request)
    assert first.stages and not again.stages
    assert whole(first) == again
    before = sources(server)
    request.filter = "price < 100"
    narrowed = await stub.Retrieve(request)
    assert grown(before, sources(server)) == {"given": 1}
    alone = await stub.Retrieve(RetrieveRequest(query=query, filter="price < 100"))
    assert whole(narrowed) == whole(alone)


@pytest.mark.parametrize("wrong", ["other_space", "other_text"])
async def test_an_embedding_of_something_else_is_not_used(
    stub: Any, server: Running, embed: Embed, wrong: str
) -> None:
    query = f"battery tool {wrong}"
    given = embed(query)
    if wrong == "other_space":  # of another width, too
        given = QueryEmbedding(text=query, embedding_space="retriever/next", values=[0.6, 0.8])
    else:
        given.text = "kettle"
    before = sources(server)
    answer = await stub.Retrieve(RetrieveRequest(query=query, query_embedding=given))
    assert grown(before, sources(server)) == {wrong: 1, "encoded": 1}
    assert whole(answer) == whole(await stub.Retrieve(RetrieveRequest(query=query)))
    assert grown(before, sources(server)) == {wrong: 1, "encoded": 1, "remembered": 1}


async def test_a_corrected_query_is_not_searched_by_the_embedding_of_its_misspelling(
    stub: Any, server: Running, embed: Embed
) -> None:
    query = "cordles drll"
    before = sources(server)
    answer = await stub.Retrieve(RetrieveRequest(query=query, query_embedding=embed(query)))
    assert answer.did_you_mean.applied
    assert grown(before, sources(server)) == {"other_text": 1, "encoded": 1}
    assert whole(answer) == whole(await stub.Retrieve(RetrieveRequest(query=query)))


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda given: given.values.__setitem__(3, math.nan), "query_embedding.values"),
        (lambda given: given.values.__setitem__(3, math.inf), "query_embedding.values"),
        (lambda given: given.values.__setitem__(3, 2.0), "query_embedding.values"),
        (lambda given: given.values.pop(), "query_embedding.values"),
        (lambda given: given.ClearField("values"), "query_embedding.values"),
        (lambda given: given.values.extend([0.0] * 5000), "query_embedding.values"),
    ],
)
async def test_an_embedding_that_is_none_is_refused(
    stub: Any, embed: Embed, spoil: Callable[[QueryEmbedding], object], field: str
) -> None:
    given = embed("kettle")
    spoil(given)
    error = await error_of(stub.Retrieve(RetrieveRequest(query="kettle", query_embedding=given)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert fields_of(error) == [field]


async def test_an_embedding_without_a_query_is_refused(stub: Any, embed: Embed) -> None:
    request = RetrieveRequest(for_user=ForUser(), query_embedding=embed("kettle"))
    assert fields_of(await error_of(stub.Retrieve(request))) == ["query_embedding"]

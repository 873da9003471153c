"""The embedding that the pass of intent makes beside its reading, with the published models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aisle.catalog.v1.user_pb2 import UserContext
from aisle.intent.v1.intent_pb2 import Shortcut, UnderstandRequest, UnderstandResponse
from runtime.inference.encoder import EMBEDDING, TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.retrieval.text import question

LEAST_COSINE = 0.98  # what an int8 graph must reach


@pytest.fixture(scope="module")
def retriever(models_root: Path) -> TextModel:
    return TextModel.open(ModelStore(models_root), "retriever", InferenceSettings(models=models_root))


async def asked(
    stub: Any, query: str, recent: Sequence[str] = (), *, embed: bool = True
) -> UnderstandResponse:
    user = UserContext(recent_queries=recent)
    answer: UnderstandResponse = await stub.Understand(UnderstandRequest(query=query, user=user, embed=embed))
    return answer


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("T恤 黑色 夏季", "T恤 黑色 夏季"),
        ("BLACK summer t-shirt", "BLACK summer t-shirt"),
        ("無線耳機 降噪", "無線耳機 降噪"),
        ("👕 under $20", "  under $20"),  # retrieval, which reads the emoji, then encodes the query itself
    ],
)
async def test_it_is_the_retrievers_of_the_text_that_was_read(
    stub: Any, retriever: TextModel, query: str, read: str
) -> None:
    answer = await asked(stub, query)
    given, manifest = answer.embedding, retriever.manifest
    assert (given.text, given.embedding_space) == (read, manifest.embedding_space)
    (right,) = retriever.run_sync([manifest.query_prefix + question(read)])
    assert np.array(given.values) @ right.outputs[EMBEDDING] > LEAST_COSINE
    plain = await asked(stub, query, embed=False)
    assert not plain.HasField("embedding")
    assert plain.understanding == answer.understanding


async def test_a_remembered_reading_keeps_its_embedding(stub: Any) -> None:
    first, again = await asked(stub, "glass kettle"), await asked(stub, "glass kettle")
    assert again.shortcut == Shortcut.SHORTCUT_REPEATED
    assert again.embedding == first.embedding and len(first.embedding.values) > 0


async def test_what_no_model_read_has_none(stub: Any) -> None:
    answer = await asked(stub, "WH-1000XM5")
    assert answer.shortcut == Shortcut.SHORTCUT_MODEL_NUMBER
    assert not answer.HasField("embedding")


async def test_a_query_that_goes_on_gives_that_of_the_text_that_was_read(stub: Any) -> None:
    earlier = await asked(stub, "black headphones")
    answer = await asked(stub, "cheaper ones", ["black headphones"])
    assert answer.embedding == earlier.embedding
    assert answer.embedding.text == "black headphones"


async def test_a_text_longer_than_the_model_reads_has_none(stub: Any) -> None:
    answer = await asked(stub, "red shoe " * 50)
    assert answer.models and not answer.HasField("embedding")

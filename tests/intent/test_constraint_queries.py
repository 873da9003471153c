"""Sixty hand-written queries, read by the published model and the rules."""

from collections.abc import Sequence
from pathlib import Path

from aisle.intent.v1.intent_pb2 import Understanding
from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from services.intent.decoding import Decoder
from services.intent.labels import read_labels
from training.evaluate.constraints import Reading, constraint_figures, queries, readings


def test_at_least_57_of_60_hand_written_queries_are_read_exactly(models_root: Path) -> None:
    model = TextModel.open(ModelStore(models_root), "intent", InferenceSettings(models=models_root))
    decoder = Decoder(read_labels(model.stored))

    def understand(texts: Sequence[str]) -> list[Understanding]:
        read = zip(texts, model.run_sync(texts), strict=True)
        return [decoder.understand(text, result.outputs, result.offsets) for text, result in read]

    read = readings(understand)
    wrong = [_told(each) for each in read if not each.exact]
    assert len(read) == 60
    assert len(read) - len(wrong) >= 57, "\n".join(["read otherwise than they are meant:", *wrong])


def test_a_reading_counts_only_when_it_is_exactly_the_expected_one() -> None:
    figures = constraint_figures(lambda texts: [Understanding()] * len(texts))
    nothing = {language: sum(not each for each in some.values()) for language, some in queries().items()}
    assert figures == {
        "handwritten_zh/constraints/exact": nothing["zh"],
        "handwritten_en/constraints/exact": nothing["en"],
        "handwritten/constraints/exact": sum(nothing.values()),
    }


def _told(reading: Reading) -> str:
    missed, extra = sorted(reading.expected - reading.read), sorted(reading.read - reading.expected)
    return f"{reading.query}: missed {missed}, and read {extra} that is not there"

"""What reviews had said at the moment of a request in the log."""

from pathlib import Path

from aisle.catalog.v1.reviews_pb2 import ReviewColumns
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.state.reviews import WHOLE
from services.intent.model import IntentModel
from training.demo_shop import DemoShop, Review
from training.ranker.reviews import DatedReview, ReviewTimeline, read_reviews

PRAISE, BLAME = {WHOLE: (1, 0, 0), "quality": (1, 0, 0)}, {WHOLE: (0, 0, 1)}


def columns(timeline: ReviewTimeline, seconds: float) -> ReviewColumns:
    return timeline.at(seconds).columns(["a", "b"]) or ReviewColumns()


def test_only_reviews_written_before_count_whatever_is_asked_first() -> None:
    timeline = ReviewTimeline(
        [DatedReview(300, "a", BLAME), DatedReview(100, "a", PRAISE), DatedReview(200, "b", PRAISE)]
    )
    for seconds, positive, negative in ((301, [1, 1], [1, 0]), (150, [1, 0], [0, 0]), (300, [1, 1], [0, 0])):
        told = columns(timeline, seconds)
        assert (list(told.positive), list(told.negative)) == (positive, negative)
    assert columns(timeline, 100) == ReviewColumns()


def test_reviews_are_judged_by_the_published_model_and_counted_as_in_serving(
    models_root: Path, tmp_path: Path
) -> None:
    def review(number: int, text: str) -> Review:
        return Review(f"r{number}", "a", "zh", "train", 5, text, "neutral", (), number)

    texts = ["质量很好，物流太慢，很满意", "用了两天就坏了，非常失望", "质量很好，推荐购买"]
    reviews = tuple(review(number, text) for number, text in enumerate(texts))
    shop = DemoShop(tmp_path, products=(), queries=(), reviews=reviews, users=(), log=())
    model = IntentModel.open(ModelStore(models_root), InferenceSettings(models=models_root))
    told = columns(read_reviews(shop, model), 10)
    assert (list(told.positive), list(told.negative)) == ([2, 0], [1, 0])
    assert list(told.aspects["quality"].positive) == [2, 0]
    assert list(told.aspects["delivery"].negative) == [1, 0]

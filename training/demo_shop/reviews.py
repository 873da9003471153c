"""Reviews: aspects that the product's quality decides, praised or blamed in Chinese or English."""

from collections.abc import Sequence
from random import Random

from training.demo_shop.drafts import Draft
from training.demo_shop.lexicon import Language, read
from training.demo_shop.products import LOG_END
from training.demo_shop.randomness import split_of, stream
from training.demo_shop.schema import Aspect, Review, Sentiment, Split

_ASPECTS = ("quality", "appearance", "price", "delivery", "service")
_RATINGS: dict[Sentiment, tuple[tuple[int, ...], tuple[float, ...]]] = {
    "positive": ((5, 4), (0.75, 0.25)),
    "neutral": ((3, 4), (0.85, 0.15)),
    "negative": ((1, 2), (0.6, 0.4)),
}
_AGREEMENT = 0.85  # share of a review's aspects that agree with its verdict
_MOST_PER_PRODUCT = 4


def make_reviews(drafts: Sequence[Draft], seed: int) -> list[Review]:
    """Write up to four reviews for each product."""
    return [review for draft in drafts for review in _of(draft, stream(seed, "reviews", draft.id))]


def _of(draft: Draft, random: Random) -> list[Review]:
    count = random.randint(0, _MOST_PER_PRODUCT)
    return [_review(f"r{draft.id[1:]}-{place}", draft, random) for place in range(count)]


def _review(name: str, draft: Draft, random: Random) -> Review:
    language: Language = "zh" if random.random() < 0.5 else "en"
    split = split_of("review", name)
    sentiment = _sentiment(draft.quality, random)
    chosen = random.sample(_ASPECTS, random.choice([1, 2, 2, 3]))
    aspects = [Aspect(aspect, _leaning(sentiment, random)) for aspect in chosen[:-1]]
    aspects.append(Aspect(chosen[-1], sentiment))
    ratings, weights = _RATINGS[sentiment]
    return Review(
        id=name,
        product_id=draft.id,
        language=language,
        split=split,
        rating=random.choices(ratings, weights)[0],
        text=_text(aspects, sentiment, language, split, random),
        sentiment=sentiment,
        aspects=tuple(aspects),
        event_seconds=LOG_END - random.randrange(300 * 86_400),
    )


def _sentiment(quality: float, random: Random) -> Sentiment:
    """Positive, neutral or negative with log-odds that quality moves."""
    mood = 1.6 + 0.9 * quality + random.gauss(0, 1.3)
    return "positive" if mood > 0.8 else "neutral" if mood > 0.1 else "negative"


def _leaning(sentiment: Sentiment, random: Random) -> Sentiment:
    moods: tuple[Sentiment, ...] = ("positive", "neutral", "negative")
    return sentiment if random.random() < _AGREEMENT else random.choice(moods)


def _text(
    aspects: Sequence[Aspect], sentiment: Sentiment, language: Language, split: Split, random: Random
) -> str:
    words = read("reviews")
    phrases = [
        _phrase(words[each.aspect][each.sentiment][language], split, first=place == 0, random=random)
        for place, each in enumerate(aspects)
    ]
    body = ("，" if language == "zh" else ", ").join(phrases)
    opening = random.choice(words["openings"][language])
    verdict = random.choice(words["verdicts"][sentiment][language])
    if language == "en" and not (opening and not opening.endswith(". ")):
        body = body[:1].upper() + body[1:]
    return f"{opening}{body}{verdict}"


def _phrase(phrases: Sequence[str], split: Split, *, first: bool, random: Random) -> str:
    """A test review opens with a phrase that no other split uses; the others never use it."""
    if split == "test" and first:
        return phrases[-1]
    return random.choice(phrases if split == "test" else phrases[:-1])

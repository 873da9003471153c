"""How reviews feel, as the contract tells it."""

from collections.abc import Mapping

from aisle.intent.v1.intent_pb2 import ReviewSentiment, Sentiment


def review_sentiment(probabilities: Mapping[str, float]) -> ReviewSentiment:
    """Return the message of one review's probabilities by sentiment ("negative", "neutral", "positive")."""
    likeliest = max(probabilities, key=lambda each: probabilities[each])
    return ReviewSentiment(
        sentiment=Sentiment.Value(f"SENTIMENT_{likeliest.upper()}"),
        negative=probabilities["negative"],
        neutral=probabilities["neutral"],
        positive=probabilities["positive"],
    )

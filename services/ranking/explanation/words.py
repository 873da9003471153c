"""Contributions in words a merchant understands, in Chinese and in English."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aisle.catalog.v1.arrangement_pb2 import Move, MoveKind
from aisle.retrieval.v1.retrieval_pb2 import ChannelColumn
from services.ranking.columns import Products
from services.ranking.explanation import groups
from services.ranking.explanation.contributions import AVERAGE, Part
from services.ranking.review_features import Reviews

LANGUAGES = ("zh", "en")
_MOST_GROUPS = 4
_LEAST = 0.02  # a contribution below this moves nobody past anybody
_DAY_SECONDS = 86_400.0

_RAISES: Mapping[str, tuple[str, str]] = {
    groups.RETRIEVAL: ("与检索内容相符{ranks}", "It fits what was searched for{ranks}"),
    groups.QUERY: ("类目和属性符合查询", "Its category and attributes are those the query asks for"),
    groups.PRICE: ("价格{price}有吸引力", "Its price{price} speaks for it"),
    groups.REPUTATION: ("口碑好{rating}", "It is well reviewed{rating}"),
    groups.REVIEWS: ("{leaning}{judged}，有助于排名", "{leaning}{judged}, which speaks for it"),
    groups.FRESHNESS: ("上架时间{age}有优势", "Its age{age} speaks for it"),
    groups.AVAILABILITY: ("有货", "It can be bought now"),
    groups.TASTE: ("符合该用户以往的喜好", "It suits what this user liked before"),
    groups.TEXT: ("与查询对照细读，文字相符", "Read beside the query, its text answers it"),
}
_LOWERS: Mapping[str, tuple[str, str]] = {
    groups.RETRIEVAL: (
        "与检索内容的相符程度低于其他候选{ranks}",
        "Others fit better what was searched for{ranks}",
    ),
    groups.QUERY: (
        "类目或属性不完全符合查询",
        "Its category or attributes are not all that the query asks for",
    ),
    groups.PRICE: ("价格{price}不占优势", "Its price{price} speaks against it"),
    groups.REPUTATION: ("口碑不如其他候选{rating}", "Others are better reviewed{rating}"),
    groups.REVIEWS: ("{leaning}{judged}，不占优势", "{leaning}{judged}, which speaks against it"),
    groups.FRESHNESS: ("上架时间{age}不占优势", "Its age{age} speaks against it"),
    groups.AVAILABILITY: ("缺货", "It cannot be bought now"),
    groups.TASTE: ("与该用户以往的喜好不同", "It is unlike what this user liked before"),
    groups.TEXT: ("与查询对照细读，文字不如其他候选相符", "Read beside the query, others answer it better"),
}
_MOVES: Mapping[int, tuple[str, str]] = {
    MoveKind.MOVE_KIND_PIN: ("规则 {rule} 将其置于第 {to} 位", "Rule {rule} pins it to position {to}"),
    MoveKind.MOVE_KIND_BOOST: ("规则 {rule} 加分 {change:+.2f}", "Rule {rule} boosts it by {change:+.2f}"),
    MoveKind.MOVE_KIND_BURY: ("规则 {rule} 降分 {change:+.2f}", "Rule {rule} buries it by {change:+.2f}"),
    MoveKind.MOVE_KIND_DIVERSITY: (
        "为使结果多样，从第 {start} 位调到第 {to} 位",
        "For variety it moves from position {start} to {to}",
    ),
    MoveKind.MOVE_KIND_BRAND_CAP: (
        "同品牌商品已足够，从第 {start} 位调到第 {to} 位",
        "Enough of its brand stand above: it moves from position {start} to {to}",
    ),
    MoveKind.MOVE_KIND_SELLER_CAP: (
        "同卖家商品已足够，从第 {start} 位调到第 {to} 位",
        "Enough of its seller stand above: it moves from position {start} to {to}",
    ),
    MoveKind.MOVE_KIND_VARIANT_CAP: (
        "同款商品已足够，从第 {start} 位调到第 {to} 位",
        "Enough of its variants stand above: it moves from position {start} to {to}",
    ),
    MoveKind.MOVE_KIND_EXPLORATION: (
        "新品试投，从第 {start} 位调到第 {to} 位",
        "It is new and is being tried: it moves from position {start} to {to}",
    ),
    MoveKind.MOVE_KIND_CROSS_ENCODER: (
        "与查询对照细读后，从第 {start} 位调到第 {to} 位",
        "Read beside the query, it moves from position {start} to {to}",
    ),
}
_NOT_READ, _POSITIVE, _NEGATIVE, _MIXED = (
    ("暂无评价内容", "No reviews of it were read"),
    ("评价好评多", "Its reviews are mostly positive"),
    ("评价差评多", "Its reviews are mostly negative"),
    ("评价好坏参半", "Its reviews are mixed"),
)
_CHANNELS: Mapping[str, tuple[str, str]] = {
    "lexical": ("字词", "words"),
    "dense": ("语义", "meaning"),
    "popular": ("热度", "popularity"),
    "collaborative": ("相似用户", "similar users"),
    "fresh": ("新品", "new products"),
}


@dataclass(frozen=True)
class Facts:
    """What is said beside the reasons, of one candidate."""

    ranks: Mapping[str, int]
    price: float
    rating: float
    reviews: int
    age_days: float
    positive: int
    negative: int
    judged: int

    @classmethod
    def of(
        cls,
        products: Products,
        channels: Iterable[ChannelColumn],
        told: Reviews,
        row: int,
        now_seconds: float,
    ) -> "Facts":
        """Return the facts of candidate `row`; `told` is what reviews say of all candidates."""
        return cls(
            {each.channel: each.ranks[row] for each in channels if each.ranks[row]},
            float(products.prices[row]),
            float(products.ratings[row]),
            int(products.review_counts[row]),
            (now_seconds - float(products.created[row])) / _DAY_SECONDS,
            int(told.positive[row]),
            int(told.negative[row]),
            int(told.all[row]),
        )


def reasons(parts: Sequence[Part], moves: Sequence[Move], facts: Facts, language: str) -> list[str]:
    """Return what moved a hit and what speaks most for and against it, in "zh" or "en"."""
    tongue = LANGUAGES.index(language)
    said = [
        _MOVES[move.kind][tongue].format(
            rule=move.rule, start=move.from_position, to=move.to_position, change=move.score_change
        )
        for move in moves
    ]
    values = _facts(facts, tongue)
    for group, value in _strongest(parts):
        words = (_RAISES if value > 0 else _LOWERS)[group][tongue].format(**values)
        said.append(f"{words}（{value:+.2f}）" if tongue == 0 else f"{words} ({value:+.2f})")
    return said


def _strongest(parts: Sequence[Part]) -> list[tuple[str, float]]:
    totals: dict[str, float] = {}
    for part in parts:
        if part.group in _RAISES and part.group != AVERAGE:
            totals[part.group] = totals.get(part.group, 0.0) + part.value
    ordered = sorted(totals.items(), key=lambda each: -abs(each[1]))
    return [each for each in ordered if abs(each[1]) >= _LEAST][:_MOST_GROUPS]


def _facts(facts: Facts, tongue: int) -> dict[str, str]:
    comma = "，" if tongue == 0 else ", "
    ranks = comma.join(
        (
            f"{_named(channel, tongue)}第 {rank}"
            if tongue == 0
            else f"rank {rank} by {_named(channel, tongue)}"
        )
        for channel, rank in facts.ranks.items()
    )
    reviews = f"{facts.reviews} 条评价" if tongue == 0 else f"{facts.reviews} reviews"
    age = f"{facts.age_days:.0f} 天" if tongue == 0 else f"{facts.age_days:.0f} days"
    return {
        "ranks": _bracketed(ranks, tongue),
        "price": ""
        if np.isnan(facts.price)
        else f" {facts.price:g} ".rstrip() + (" " if tongue == 0 else ""),
        "rating": "" if np.isnan(facts.rating) else _bracketed(f"{facts.rating:.1f}{comma}{reviews}", tongue),
        "leaning": _leaning(facts)[tongue],
        "judged": _judged(facts, tongue),
        "age": "" if np.isnan(facts.age_days) else _bracketed(age, tongue),
    }


def _leaning(facts: Facts) -> tuple[str, str]:
    if not facts.judged:
        return _NOT_READ
    if 2 * facts.positive > facts.judged:
        return _POSITIVE
    return _NEGATIVE if 2 * facts.negative > facts.judged else _MIXED


def _judged(facts: Facts, tongue: int) -> str:
    if not facts.judged:
        return ""
    if tongue == 0:
        return _bracketed(f"{facts.judged} 条中好评 {facts.positive} 条、差评 {facts.negative} 条", tongue)
    return _bracketed(f"{facts.positive} of {facts.judged} praise it, {facts.negative} blame it", tongue)


def _named(channel: str, tongue: int) -> str:
    return _CHANNELS.get(channel, (channel, channel))[tongue]


def _bracketed(text: str, tongue: int) -> str:
    if not text:
        return ""
    return f"（{text}）" if tongue == 0 else f" ({text})"

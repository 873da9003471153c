"""Queries that mean nothing without an earlier one: "cheaper ones", "in red instead", 便宜一点的."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aisle.intent.v1.intent_pb2 import Constraint
from runtime.folding import fold
from services.intent.constraints import CONTEXT, GREATER, LESS, NOT_EQUAL, RULE, find_constraints
from services.intent.lexicon import Lexicon
from services.intent.prices import price_bounds

_RELATIVE = 0.9  # confidence in "cheaper" and "dearer", set by hand

_CHEAPER = re.compile(
    r"(?:再|更)?(?:便宜|实惠)(?:一?[点些]儿?)?|低价"
    r"|\b(?:cheaper|less expensive|more affordable|lower priced?)\b"
    r"|\bcheap(?=\sones?\b)"
)
_DEARER = re.compile(
    r"(?:再|更)(?:贵|高档|高端)(?:一?[点些])?|(?:贵|高档|高端)一?[点些]"
    r"|\b(?:more expensive|pricier|higher[-\s]end)\b"
)
_OTHER = re.compile(
    r"(?:换|别的|其他|其它)(?:一?[个种])?(?P<han>颜色|品牌|牌子|材质|风格|款式|尺码)"
    r"|\b(?:(?:an)?other|different)\s(?P<latin>colou?r|brand|material|style|size)s?\b"
)
_KEYS = {
    "颜色": "color", "品牌": "brand", "牌子": "brand", "材质": "material", "风格": "style", "款式": "style",
    "尺码": "size", "color": "color", "colour": "color", "brand": "brand", "material": "material",
    "style": "style", "size": "size",
}  # fmt: skip
_ANAPHORA = re.compile(
    r"换成?|同款|一样的?|还有|有没有|呢|的吗|的(?=\s*$)"
    r"|\b(?:instead|(?:what|how) about|the same|same|(?:but )?in(?=\s)|ones?|it|them)\b"
)
_FILLERS = re.compile(
    r"(?:[\s,，.。?？!！~～、]|[的吗呢吧啊要有来给我再更还请能想看款个种那都点些]|可以|看看|价格|价位|不想?要|不含|除了|除外|以外"
    r"|\b(?:a|an|any|and|anything|are|but|can|do|for|give|got|have|i|in|is|like|me|more|no|non|not|of|or|other|than|except|without|please|show|some|something"
    r"|that|the|there|these|those|to|want|with|would|you|options?)\b)*"
)


@dataclass(frozen=True)
class Wanted:
    """A wanted value in the catalogue's spelling, its words, and their place (0, 0 in an earlier query)."""

    value: str
    words: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class FollowUp:
    """What a query changes of an earlier one: values wanted by key, other conditions, keys to differ."""

    wanted: Mapping[str, Wanted] = field(default_factory=dict)
    constraints: Sequence[Constraint] = ()
    others: frozenset[str] = frozenset()

    @property
    def replaced(self) -> frozenset[str]:
        """The keys of which what was wanted before no longer counts; "cheaper" leaves a price bound."""
        bounded = {
            each.key for each in self.constraints if each.operator != NOT_EQUAL and not _is_cheaper(each)
        }
        return frozenset(self.wanted) | frozenset(bounded) | self.others

    def keeps(self, key: str, value: str, *, negated: bool) -> bool:
        """Whether a value that was wanted, or was not, before still is so."""
        if negated:
            return key not in self.wanted or self.wanted[key].value != value
        excluded = any(
            each.operator == NOT_EQUAL and (each.key, each.value) == (key, value) for each in self.constraints
        )
        return key not in self.replaced and not excluded


def read_follow_up(query: str, lexicon: Lexicon) -> FollowUp | None:
    """Return what `query` changes of an earlier one, or None when it stands by itself.

    It goes on from another when besides conditions and fillers it holds only words that point back, or when
    it is nothing but conditions (a price, a size, an exclusion).
    """
    folded = fold(query)
    constraints = [
        each for each in find_constraints(query, lexicon, price_bounds(query)) if each.key != "model"
    ]
    wanted = _wanted(query, lexicon, constraints)
    named = [(each.start, each.end) for each in constraints]
    rest = _without(folded, named + [(each.start, each.end) for each in wanted.values()])
    relative = list(_relative(rest))
    others = frozenset(_KEYS[match["han"] or match["latin"]] for match in _OTHER.finditer(rest))
    pointed = _ANAPHORA.search(rest) is not None
    for pattern in (_CHEAPER, _DEARER, _OTHER, _ANAPHORA):
        rest = pattern.sub(" ", rest)
    if not (constraints or relative or others or pointed) or not _FILLERS.fullmatch(rest):
        return None
    return FollowUp(wanted, [*constraints, *relative], others)


def _relative(rest: str) -> Iterator[Constraint]:
    for pattern, operator in ((_CHEAPER, LESS), (_DEARER, GREATER)):
        if match := pattern.search(rest):
            start, end = match.span()
            yield Constraint(
                key="price", operator=operator, confidence=_RELATIVE, start=start, end=end, source=RULE
            )


def joined(earlier: FollowUp, later: FollowUp) -> FollowUp:
    """Return both as one: of the same key the later one counts."""
    kept = {
        key: Wanted(each.value, each.words)
        for key, each in earlier.wanted.items()
        if key not in later.replaced
    }
    constraints = [
        each
        for each in earlier.constraints
        if later.keeps(each.key, each.value, negated=each.operator == NOT_EQUAL)
    ]
    return FollowUp(
        {**kept, **later.wanted},
        [*map(from_earlier, constraints), *later.constraints],
        (earlier.others - frozenset(later.wanted)) | later.others,
    )


def from_earlier(constraint: Constraint) -> Constraint:
    """Return a constraint of an earlier query: without a place, and told as context."""
    copy = Constraint()
    copy.CopyFrom(constraint)
    copy.start = copy.end = 0
    copy.source = CONTEXT
    return copy


def _is_cheaper(constraint: Constraint) -> bool:
    return constraint.operator == LESS and not constraint.HasField("number")


def _wanted(query: str, lexicon: Lexicon, constraints: Sequence[Constraint]) -> dict[str, Wanted]:
    taken = [(each.start, each.end) for each in constraints]
    found: dict[str, Wanted] = {}
    for each in lexicon.longest(query):
        if not any(each.start < end and start < each.end for start, end in taken):
            found[each.key] = Wanted(each.value, query[each.start : each.end], each.start, each.end)
    return found


def _without(folded: str, spans: Sequence[tuple[int, int]]) -> str:
    for start, end in spans:
        folded = folded[:start] + " " * (end - start) + folded[end:]
    return folded

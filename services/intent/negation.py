"""Which of the values a query names are not wanted."""

import re
from collections.abc import Sequence
from itertools import pairwise

from runtime.folding import fold
from services.intent.cues import ending

Span = tuple[int, int]

_CHINESE_CUES = (
    r"不(?:想|需)?要|不(?:喜欢|爱|是|含|带|买|选|考虑)|非|(?<!有)无|(?<!有)没有|(?<![特区分级类性个])别(?:要|买)?|勿"
    r"|除了?|拒绝|去掉|排除|去除"
)
_CHINESE_FILLERS = r"任何|那种|这种|有|含|带|是|太|买|穿|选|颜色|材质"
_ENGLISH_CUES = (
    r"not|no|non|nor|without|w/o|except(?:\sfor)?|exclud(?:e|ing)|any(?:thing|one|\s[a-z]+)?\sbut|other\sthan|isn['’]?t|never"
    r"|don['’]?t\s(?:want|like|need)|do\snot\s(?:want|like|need)|minus|avoid|nothing|rather\sthan"
)
_ENGLISH_FILLERS = r"any|an?|the|in|made|from|of|with|too|very|so|colou?r(?:ed)?|that|is|are|be|for|it|want"
BEFORE = re.compile(
    rf"(?:(?:{_CHINESE_CUES})\s?(?:{_CHINESE_FILLERS})*\s*"
    rf"|(?<![a-z])(?:{_ENGLISH_CUES})[\s-]+(?:(?:{_ENGLISH_FILLERS})\s+)*"
    r"|(?:^|\s)-)$",
    re.ASCII,
)
AFTER = re.compile(
    r"(?:的|系)?(?:[都也]?(?:不要|不行|不喜欢|不考虑|勿扰)|除外|[以之]外)(?=$|[\s的,，.。;；!！?？、])"
    r"|[-\s]free(?![a-z])|\s(?:excluded|not\swanted)(?![a-z])",
    re.ASCII,
)
CONJUNCTION = re.compile(
    r"\s*(?:以及|还有|或者|[和或及与跟、/&]|(?:,\s?)?(?:and|or|nor)\s+(?:(?:an?|any)\s)?)\s*"
)


def negated(query: str, spans: Sequence[Span]) -> list[bool]:
    """Say of each span of `query`, given from left to right, whether it is not wanted.

    A cue reaches the value it stands at (不要黑色, "not in black", "leather-free", 红色除外) and those
    joined to it by a conjunction ("no red or blue"). It ends at the next word: 不要黑色 夏季 wants summer.
    """
    folded = fold(query)
    before = [ending(BEFORE, folded, start) is not None for start, _ in spans]
    after = [AFTER.match(folded, end) is not None for _, end in spans]
    joined = [
        CONJUNCTION.fullmatch(folded, end, start) is not None for (_, end), (start, _) in pairwise(spans)
    ]
    for place, is_joined in enumerate(joined):
        before[place + 1] |= is_joined and before[place]
    for place in range(len(joined) - 1, -1, -1):
        after[place] |= joined[place] and after[place + 1]
    return [one or other for one, other in zip(before, after, strict=True)]

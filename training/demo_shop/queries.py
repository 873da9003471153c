"""The queries: every wish in Chinese and in English, a quarter of them mixed too, with the truth about each.

What the test split holds that training never saw: the combination of type and values; one (type, brand) pair
in seven; the sentences around a wish, the ways to exclude a value and to name a price; and, where a name has
three forms or more, the last one. Support and out-of-scope sentences are split as sentences.
"""

from collections.abc import Iterator, Sequence
from random import Random

from training.demo_shop.drafts import Draft
from training.demo_shop.lexicon import LANGUAGES, Language, Lexicon, read
from training.demo_shop.needs import Need, Want, draw_need
from training.demo_shop.phrasing import Phrasing, Wording, usual_words
from training.demo_shop.randomness import stream
from training.demo_shop.schema import Intent, Query, QueryLanguage, Split

_INTENTS: dict[Intent, float] = {
    "browse": 0.44,
    "purchase": 0.23,
    "review": 0.11,
    "support": 0.12,
    "out_of_scope": 0.1,
}
_MIXED = 0.25
_BARE = 0.55  # share of browsing queries that are the wish and nothing else
_POLITE: dict[Language, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "zh": (("", "", "请问", "你好，", "急，"), ("", "", "？", "，谢谢")),
    "en": (("", "", "hi, ", "hello, ", "urgent: "), ("", "", "?", " please", " thanks")),
}
Texts = dict[QueryLanguage, Wording]


def make_queries(lexicon: Lexicon, drafts: Sequence[Draft], seed: int, wishes: int) -> list[Query]:
    """Draw about `wishes` wishes and word each; no text occurs twice."""
    random = stream(seed, "queries")
    queries: list[Query] = []
    seen: set[str] = set()
    for intent, kind, split, texts in _wishes(lexicon, drafts, wishes, random):
        words = {worded.text.casefold() for worded in texts.values()}
        if len(words) == len(texts) and not words & seen:
            seen |= words
            queries += _entries(f"q{len(queries):05d}", intent, kind, split, texts)
    return queries


def _entries(pair: str, intent: Intent, category: str, split: Split, texts: Texts) -> Iterator[Query]:
    for language, worded in texts.items():
        other = "en" if language == "zh" else "zh"
        slots, price = worded.slots, worded.price
        yield Query(
            f"{pair}-{language}",
            f"{pair}-{other}",
            worded.text,
            language,
            split,
            intent,
            category,
            slots,
            price,
        )


def _wishes(
    lexicon: Lexicon, drafts: Sequence[Draft], count: int, random: Random
) -> Iterator[tuple[Intent, str, Split, Texts]]:
    yield _demo(lexicon)
    for intent in random.choices(list(_INTENTS), list(_INTENTS.values()), k=count):
        if intent in ("support", "out_of_scope"):
            yield _talk(lexicon, intent, random)
        else:
            yield _search(lexicon, draw_need(drafts, intent, random), intent, random)


def _search(lexicon: Lexicon, need: Need, intent: Intent, random: Random) -> tuple[Intent, str, Split, Texts]:
    phrasing = Phrasing(lexicon, need.split, random)
    texts: Texts = {}
    for language in LANGUAGES:
        bare = intent == "browse" and random.random() < _BARE
        if bare and random.random() < 0.5:
            worded = phrasing.keywords(need, [language])
        else:
            carrier = "{need}" if bare else phrasing.carrier(intent, language)
            worded = phrasing.sentence(need, language, carrier)
        texts[language] = _cased(worded, random)
    if intent == "browse" and need.wants and random.random() < _MIXED / _INTENTS["browse"]:
        mixed = phrasing.keywords(need, LANGUAGES)
        if _is_mixed(mixed.text):
            texts["mixed"] = mixed
    return intent, need.kind.category, need.split, texts


def _talk(lexicon: Lexicon, intent: Intent, random: Random) -> tuple[Intent, str, Split, Texts]:
    """A sentence that looks for no product; the sixth of every six is for test, the fifth for validation."""
    sentences = read("questions")[intent]
    place = random.randrange(len(sentences["zh"]))
    split: Split = "test" if place % 6 == 5 else "validation" if place % 6 == 4 else "train"
    kind = random.choice(list(lexicon.types.values()))
    choices = {name: random.randrange(len(each["zh"])) for name, each in read("questions")["fillers"].items()}
    texts: Texts = {}
    for language in LANGUAGES:
        fillers = {name: read("questions")["fillers"][name][language][i] for name, i in choices.items()}
        template = sentences[language][place]
        text = template.format(type=random.choice(kind.name.common(language)).text, **fillers)
        before, after = (random.choice(options) for options in _POLITE[language])
        texts[language] = Wording(f"{before}{text}{after}")
    return intent, kind.category if "{type}" in sentences["zh"][place] else "", split, texts


def _demo(lexicon: Lexicon) -> tuple[Intent, str, Split, Texts]:
    """The demo's own pair of queries, always part of the test split."""
    need = Need(lexicon.types["clothing/t-shirt"], (Want("color", "black"), Want("season", "summer")), None)
    texts: Texts = {
        "zh": usual_words(lexicon, need, "zh", ("TYPE", "color", "season")),
        "en": usual_words(lexicon, need, "en", ("color", "season", "TYPE")),
    }
    return "browse", need.kind.category, need.split, texts


def _cased(worded: Wording, random: Random) -> Wording:
    """Most people type in lower case."""
    lower = worded.text.lower()
    if len(lower) == len(worded.text) and random.random() < 0.75:
        return Wording(lower, worded.slots, worded.price)
    return worded


def _is_mixed(text: str) -> bool:
    return any("a" <= letter <= "z" for letter in text.casefold()) and any("一" <= c <= "鿿" for c in text)

"""Examples from the demo shop's queries, and the lexicon that goes with the model."""

import re
from collections.abc import Iterator, Mapping

from runtime.spelling.confusion import homophones, look_alikes
from training.demo_shop import DemoShop, Query
from training.demo_shop.lexicon import lexicon
from training.demo_shop.schema import Split
from training.intent.example import NOUN, PRICE, Example, cut
from training.mistakes import common_characters


def examples(shop: DemoShop, split: Split) -> list[Example]:
    """Return the queries of a split."""
    nouns = _nouns()
    return [_example(query, nouns) for query in shop.queries if query.split == split]


def canonical_values() -> dict[str, dict[str, str]]:
    """Return, by slot key, what the catalogue calls each form of a value."""
    return lexicon().canonical_values()


def confusions() -> dict[str, str]:
    """Return by Chinese character of a value's form the common ones that people write for it by mistake."""
    characters = {each for forms in canonical_values().values() for form in forms for each in form}
    alike = {each: homophones(each) + look_alikes(each) for each in sorted(characters)}
    common = common_characters()
    return {one: "".join(sorted(common & set(others))) for one, others in alike.items() if others}


def _example(query: Query, nouns: Mapping[str, tuple[str, ...]]) -> Example:
    marks = [(slot.start, slot.end, slot.key, slot.value) for slot in query.slots]
    if query.price:
        marks.append((query.price.start, query.price.end, PRICE, ""))
    marks += _noun(query, nouns, [(start, end) for start, end, *_ in marks])
    return Example(cut(query.text, marks), query.intent, query.category)


def _noun(
    query: Query, nouns: Mapping[str, tuple[str, ...]], taken: list[tuple[int, int]]
) -> Iterator[tuple[int, int, str, str]]:
    """Find the noun of the query's category outside of the slots; the longest form counts."""
    folded = query.text.lower()
    for form in nouns.get(query.category, ()):
        for found in re.finditer(re.escape(form), folded):
            start, end = found.span()
            if not any(start < other_end and other < end for other, other_end in taken):
                yield start, end, NOUN, query.category
                return


def _nouns() -> dict[str, tuple[str, ...]]:
    """The names of each category in both languages, the longest first."""
    return {
        category: tuple(
            sorted(
                (form.text.lower() for forms in kind.name.forms.values() for form in forms),
                key=len,
                reverse=True,
            )
        )
        for category, kind in lexicon().types.items()
    }

"""Puts wishes into words and keeps track of where each value and price stands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from training.demo_shop.lexicon import Form, Language, Lexicon, Name, read
from training.demo_shop.needs import Bounds, Need, Want
from training.demo_shop.schema import QueryPrice, QuerySlot, Split

_NATURAL = {
    "zh": ("brand", "season", "gender", "material", "color", "style", "size", "use"),
    "en": ("brand", "gender", "color", "material", "style", "season", "use", "size"),
}
_HELD_OUT_WORDS = 0.4  # share of a test query's values written in a form that training never saw
_HELD_OUT_PHRASES = 2
_PRICE_FIRST = 0.3  # share of Chinese sentences that open with the price


@dataclass(frozen=True)
class Wording:
    """A text with its marks."""

    text: str
    slots: tuple[QuerySlot, ...] = ()
    price: QueryPrice | None = None

    def moved(self, by: int) -> "Wording":
        """The same with marks `by` characters further on."""
        slots = tuple(replace(slot, start=slot.start + by, end=slot.end + by) for slot in self.slots)
        price = self.price and replace(self.price, start=self.price.start + by, end=self.price.end + by)
        return Wording(self.text, slots, price)


def usual_words(lexicon: Lexicon, need: Need, language: Language, order: Sequence[str]) -> Wording:
    """The wish's usual words in `order`, which names keys and "TYPE"."""
    values = {want.key: want.value for want in need.wants}
    words = []
    for key in order:
        if key == "TYPE":
            words.append(Wording(need.kind.name.usual(language).text))
        else:
            form = lexicon.value(key, values[key]).usual(language)
            words.append(Wording(form.text, (QuerySlot(key, values[key], form.start, form.end, False),)))
    return join(words, " ")


def join(parts: Sequence[Wording], separator: str = "") -> Wording:
    """Join texts and move their marks along."""
    text = ""
    slots: list[QuerySlot] = []
    price: QueryPrice | None = None
    for place, part in enumerate(parts):
        text += separator if place else ""
        moved = part.moved(len(text))
        text += part.text
        slots += moved.slots
        price = price or moved.price
    return Wording(text, tuple(slots), price)


class Phrasing:
    """Writes wishes in the words that a split may use."""

    def __init__(self, lexicon: Lexicon, split: Split, random: Random) -> None:
        self._lexicon = lexicon
        self._split = split
        self._random = random

    def keywords(self, need: Need, languages: Sequence[Language]) -> Wording:
        """Words in any order, each in one of `languages`, the way people type into a search box."""
        words = [self._type(need, self._random.choice(languages))]
        words += [
            self._value(want, self._random.choice(languages)) for want in need.wants if not want.negated
        ]
        self._random.shuffle(words)
        return join([join(words, " "), *self._tail(need, self._random.choice(languages))])

    def sentence(self, need: Need, language: Language, carrier: str) -> Wording:
        """The wish in natural order inside `carrier`, exclusions after it, the price before or after."""
        before, after = carrier.split("{need}")
        tail = self._tail(need, language, glued=language == "zh" and not after)
        first: list[Wording] = []
        if language == "zh" and need.bounds is not None and self._random.random() < _PRICE_FIRST:
            first = [self._price(need.bounds, language), Wording("的")]
            tail = tail[:-1]
        return join([Wording(before), *first, self._noun(need, language), Wording(after), *tail])

    def carrier(self, intent: str, language: Language) -> str:
        """A sentence for `intent` that this split may use."""
        return self._allowed(read("questions")["carriers"][intent][language])

    def _noun(self, need: Need, language: Language) -> Wording:
        wanted = {want.key: want for want in need.wants if not want.negated}
        forms = [self._value(wanted[key], language) for key in _NATURAL[language] if key in wanted]
        noun = self._type(need, language)
        if language == "zh":
            link = Wording("的") if forms and self._random.random() < 0.3 else Wording("")
            return join([*forms, link, noun])
        follows = [form for form in forms if form.slots[0].start > 0]
        return join([*(form for form in forms if form not in follows), noun, *follows], " ")

    def _tail(self, need: Need, language: Language, *, glued: bool = False) -> list[Wording]:
        tail = [self._unwanted(want, language) for want in need.wants if want.negated]
        if need.bounds is not None:
            tail.append(self._price(need.bounds, language))
        gaps = ["", " ", "，"] if glued else [" ", "，" if language == "zh" else ", "]
        return [join([Wording(self._random.choice(gaps)), part]) for part in tail]

    def _type(self, need: Need, language: Language) -> Wording:
        return Wording(self._form(need.kind.name, language).text)

    def _value(self, want: Want, language: Language) -> Wording:
        form = self._form(self._lexicon.value(want.key, want.value), language)
        return Wording(form.text, (QuerySlot(want.key, want.value, form.start, form.end, want.negated),))

    def _unwanted(self, want: Want, language: Language) -> Wording:
        before, after = self._allowed(read("questions")["negations"][language]).split("{value}")
        return join([Wording(before), self._value(want, language), Wording(after)])

    def _price(self, bounds: Bounds, language: Language) -> Wording:
        low, high = bounds.minimum, bounds.maximum
        kind = "maximum" if low is None else "minimum" if high is None else "between"
        money = self._random.choice(read("questions")["money"][bounds.currency][language])
        template = self._allowed(read("questions")["prices"][kind][language])
        lower = money if money.endswith("{n}") else "{n}"  # "$20 to $50", but "20 to 50 yuan"
        text = template.format(min=_money(low, money), low=_money(low, lower), max=_money(high, money))
        return Wording(text, price=QueryPrice(low, high, bounds.currency, 0, len(text)))

    def _form(self, name: Name, language: Language) -> Form:
        held_out = name.held_out(language)
        if self._split == "test" and held_out and self._random.random() < _HELD_OUT_WORDS:
            return held_out[0]
        common = name.common(language)
        return common[0] if self._random.random() < 0.5 else self._random.choice(common)

    def _allowed(self, phrases: Sequence[str]) -> str:
        """Training uses all but the last three phrases, validation one more, and test the last two alone."""
        kept = len(phrases) - _HELD_OUT_PHRASES
        if self._split == "test":
            return self._random.choice(phrases[kept:])
        return self._random.choice(phrases[: kept if self._split == "validation" else kept - 1])


def _money(amount: float | None, template: str) -> str:
    return "" if amount is None else template.format(n=f"{amount:g}")

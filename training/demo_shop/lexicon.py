"""The words of the shop, read from `words/`: product types, attribute values and brands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from training.demo_shop.schema import ATTRIBUTE_KEYS

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
WORDS = Path(__file__).parent / "words"
_HELD_OUT_FROM = 3


@dataclass(frozen=True)
class Form:
    """One way to write a value: `text[start:end]` is the value, the rest goes with it ("for [men]")."""

    text: str
    start: int
    end: int

    @property
    def value(self) -> str:
        """The part that names the value."""
        return self.text[self.start : self.end]

    @property
    def follows(self) -> bool:
        """Whether it stands after the noun."""
        return self.start > 0


@dataclass(frozen=True)
class Name:
    """A canonical value and its forms by language, the usual one first.

    Where a language has three forms or more, the last is held out: only test queries use it.
    """

    canonical: str
    forms: Mapping[Language, tuple[Form, ...]]

    def usual(self, language: Language) -> Form:
        """The form most people write."""
        return self.forms[language][0]

    def common(self, language: Language) -> tuple[Form, ...]:
        """The forms that every split uses."""
        forms = self.forms[language]
        return forms[:-1] if len(forms) >= _HELD_OUT_FROM else forms

    def held_out(self, language: Language) -> tuple[Form, ...]:
        """The forms that only test queries use; may be empty."""
        forms = self.forms[language]
        return forms[-1:] if len(forms) >= _HELD_OUT_FROM else ()


@dataclass(frozen=True)
class Brand:
    """An invented brand; `tier` multiplies prices, `quality` shifts what people think of its goods."""

    name: Name
    roots: tuple[str, ...]
    tier: float
    quality: float


@dataclass(frozen=True)
class ProductType:
    """A leaf category and what its products look like; attribute values are listed most common first."""

    name: Name
    root: str
    family: str
    weight: float
    price: tuple[float, float]
    shape: str
    attributes: Mapping[str, tuple[str, ...]]

    @property
    def category(self) -> str:
        """The leaf's path, such as "clothing/t-shirt"."""
        return f"{self.root}/{self.name.canonical}"


@dataclass(frozen=True)
class Lexicon:
    """All words of the shop."""

    types: Mapping[str, ProductType]
    attributes: Mapping[str, Mapping[str, Name]]
    brands: Mapping[str, Brand]

    def value(self, key: str, canonical: str) -> Name:
        """The name of an attribute's value or, for key "brand", of a brand."""
        return self.brands[canonical].name if key == "brand" else self.attributes[key][canonical]

    def canonical_values(self) -> dict[str, dict[str, str]]:
        """By slot key, the canonical value of every form in lower case, such as "黑" → "black"."""
        names = {key: list(values.values()) for key, values in self.attributes.items()}
        names["brand"] = [brand.name for brand in self.brands.values()]
        return {key: _by_form(values) for key, values in names.items()}


@cache
def lexicon() -> Lexicon:
    """Read the words; raises KeyError or TypeError where a file is not as the dataclasses say."""
    attributes = {
        key: {value: _name(value, forms) for value, forms in values.items()}
        for key, values in read("attributes").items()
    }
    return Lexicon(
        types={f"{each['root']}/{leaf}": _type(leaf, each) for leaf, each in read("types").items()},
        attributes=attributes,
        brands={name: _brand(name, each) for name, each in read("brands").items()},
    )


@cache
def read(name: str) -> dict[str, Any]:
    """Read `words/<name>.yaml` as plain values."""
    loaded = yaml.load((WORDS / f"{name}.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    if not isinstance(loaded, dict):
        raise TypeError(f"{name}.yaml must hold a mapping")
    return loaded


def _type(leaf: str, record: Mapping[str, Any]) -> ProductType:
    low, high = record["price"]
    return ProductType(
        name=_name(leaf, record),
        root=record["root"],
        family=record["family"],
        weight=record.get("weight", 1.0),
        price=(float(low), float(high)),
        shape=record["shape"],
        attributes={key: tuple(record[key]) for key in ATTRIBUTE_KEYS if key in record},
    )


def _brand(name: str, record: Mapping[str, Any]) -> Brand:
    return Brand(_name(name, record), tuple(record["roots"]), record["tier"], record["quality"])


def _name(canonical: str, record: Mapping[str, Any]) -> Name:
    return Name(canonical, {language: _forms(record[language]) for language in LANGUAGES})


def _forms(texts: Sequence[str]) -> tuple[Form, ...]:
    return tuple(_form(text) for text in texts)


def _form(marked: str) -> Form:
    text = marked.replace("[", "").replace("]", "")
    if text == marked:
        return Form(text, 0, len(text))
    start = marked.index("[")
    return Form(text, start, marked.index("]") - 1)


def _by_form(names: Sequence[Name]) -> dict[str, str]:
    return {
        form.value.casefold(): name.canonical
        for name in names
        for language in LANGUAGES
        for form in name.forms[language]
    }

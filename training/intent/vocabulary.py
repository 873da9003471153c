"""Words to vary queries with: the shop's values in both languages, goods of other shops, invented brands."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import yaml

from training.demo_shop.lexicon import LANGUAGES, Language, Lexicon, lexicon
from training.intent.example import NOUN

_WORDS = Path(__file__).parent / "words"
_LATIN_SYLLABLES = (
    "ka",
    "lo",
    "ven",
    "tri",
    "mo",
    "zel",
    "ra",
    "qui",
    "bon",
    "dex",
    "sha",
    "no",
    "fy",
    "tek",
    "lu",
    "or",
)
_HAN_SYLLABLES = "美德康乐优雅艾尔格欧雷诺妮卡兰博凯特森达利思维尚佳奇迪宝"
HAN = re.compile("[\u3400-\u9fff]")


@dataclass(frozen=True)
class Vocabulary:
    """`forms`: by language, key and canonical value, the texts that training may use; nouns are key NOUN."""

    forms: Mapping[Language, Mapping[tuple[str, str], tuple[str, ...]]]
    goods: Mapping[Language, tuple[str, ...]]  # that the shop does not sell
    modifiers: Mapping[Language, tuple[str, ...]]
    talk: Mapping[str, Mapping[Language, tuple[str, ...]]]  # sentences by intent, with {good} in some

    def brand(self, random: Random, language: Language) -> str:
        """Invent a brand; Chinese shops write some in Latin letters."""
        if language == "zh" and random.random() < 0.6:
            return "".join(random.sample(_HAN_SYLLABLES, random.randint(2, 3)))
        return "".join(random.sample(_LATIN_SYLLABLES, random.randint(2, 3)))

    def model_number(self, random: Random) -> str:
        """Invent what stands beside a brand: "x200", "48"."""
        letters = "".join(random.choices("abcdefghkmnprstvxz", k=random.randint(0, 2)))
        return f"{letters}{random.randint(2, 9999)}"


@cache
def vocabulary() -> Vocabulary:
    """Read the words; forms that only test queries use are left out."""
    shop = lexicon()
    other, talk = _read("goods"), _read("talk")
    return Vocabulary(
        forms={language: dict(_forms(shop, language)) for language in LANGUAGES},
        goods={language: tuple(other["goods"][language]) for language in LANGUAGES},
        modifiers={language: tuple(other["modifiers"][language]) for language in LANGUAGES},
        talk={
            intent: {language: tuple(sentences[language]) for language in LANGUAGES}
            for intent, sentences in talk.items()
        },
    )


def _read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((_WORDS / f"{name}.yaml").read_text(encoding="utf-8"))
    return loaded


def language_of(text: str) -> Language:
    """The language to put words of into `text`."""
    return "zh" if HAN.search(text) else "en"


def _forms(shop: Lexicon, language: Language) -> Iterable[tuple[tuple[str, str], tuple[str, ...]]]:
    for kind in shop.types.values():
        yield (NOUN, kind.category), tuple(form.value for form in kind.name.common(language))
    for key, values in shop.attributes.items():
        for value, name in values.items():
            forms = tuple(form.value for form in name.common(language) if not form.follows)
            if forms:
                yield (key, value), forms

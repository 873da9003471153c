"""Titles and descriptions: the same goods in both languages, each in its own order and with its own gaps."""

from random import Random

from training.demo_shop.drafts import Draft
from training.demo_shop.lexicon import Form, Language, Lexicon, read
from training.demo_shop.randomness import common_first

_ORDERS = {
    "zh": (
        ("season", "gender", "material", "style", "color", "TYPE", "use", "size"),
        ("gender", "season", "style", "material", "TYPE", "color", "size", "use"),
        ("material", "style", "use", "gender", "TYPE", "season", "color", "size"),
        ("TYPE", "gender", "season", "use", "style", "material", "color", "size"),
        ("color", "style", "season", "material", "gender", "use", "TYPE", "size"),
    ),
    "en": (
        ("gender", "material", "style", "use", "season", "TYPE", "color", "size"),
        ("color", "material", "style", "season", "TYPE", "gender", "use", "size"),
        ("gender", "color", "style", "TYPE", "material", "use", "season", "size"),
        ("style", "use", "TYPE", "color", "season", "gender", "material", "size"),
        ("season", "gender", "TYPE", "style", "material", "color", "size", "use"),
    ),
}
_KEPT = {
    "color": 0.88,
    "material": 0.8,
    "season": 0.8,
    "gender": 0.85,
    "size": 0.4,
    "style": 0.88,
    "use": 0.8,
}
_CODED = ("electronics", "kitchen", "office")


def title(lexicon: Lexicon, draft: Draft, language: Language, random: Random) -> str:
    """Write a title that leaves out a value now and then, as shops do."""
    kept = {key for key in draft.values if random.random() < _KEPT[key]}
    order = random.choice(_ORDERS[language])
    place = order.index("TYPE")
    before = [key for key in order[:place] if key in kept]
    after = [key for key in order[place + 1 :] if key in kept]
    write = _chinese_title if language == "zh" else _english_title
    return write(lexicon, draft, before, after, random)


def description(lexicon: Lexicon, draft: Draft, language: Language, random: Random) -> str:
    """Write a description that names every attribute, two features of the department and a closing."""
    copy = read("copy")
    features = [each[language] for each in random.sample(copy["features"][draft.type.root], 2)]
    closing = random.choice(copy["closings"])[language]
    names = {key: _usual(lexicon, key, value, language) for key, value in draft.values.items()}
    labels = {key: copy["keys"][key][language] for key in names}
    kind = common_first(random, draft.type.name.forms[language]).text
    brand = draft.brand.name.usual(language).text
    if language == "zh":
        facts = "，".join(f"{labels[key]}：{name}" for key, name in names.items())
        return f"{brand}{kind}，{facts}。{'；'.join(features)}。{closing}"
    facts = ", ".join(f"{labels[key].lower()}: {name}" for key, name in names.items())
    return f"{brand} {kind}, {facts}. {features[0].capitalize()}, {features[1]}. {closing}"


def _chinese_title(
    lexicon: Lexicon, draft: Draft, before: list[str], after: list[str], random: Random
) -> str:
    kinds = draft.type.name.forms["zh"]
    kind = common_first(random, kinds).text
    second = random.choice(kinds).text if random.random() < 0.25 else kind
    words = [_form(lexicon, draft, key, "zh", random).text for key in before]
    words.append(kind)
    words += [_form(lexicon, draft, key, "zh", random).text for key in after]
    if second != kind:
        words.append(second)
    gap = random.choice([0.0, 0.3, 1.0])
    body = words[0] + "".join((" " if random.random() < gap else "") + word for word in words[1:])
    return " ".join([*_head(draft, "zh", random), body, *_code(draft, random)])


def _english_title(
    lexicon: Lexicon, draft: Draft, before: list[str], after: list[str], random: Random
) -> str:
    kind = common_first(random, draft.type.name.forms["en"]).text
    forms = [_form(lexicon, draft, key, "en", random) for key in before]
    adjectives = [form.value if form.follows else form.text for form in forms]
    noun = " ".join(_capital(word) for word in [*adjectives, kind])
    rest = [_tail(_form(lexicon, draft, key, "en", random), random) for key in after]
    separator = random.choice([", ", " - ", " "])
    return separator.join([" ".join([*_head(draft, "en", random), noun, *_code(draft, random)]), *rest])


def _head(draft: Draft, language: Language, random: Random) -> list[str]:
    """Promotion and brand; a Chinese shop writes some brands in Latin letters too."""
    promotion = [random.choice(read("copy")["promotions"])[language]] if random.random() < 0.15 else []
    brand = common_first(random, draft.brand.name.forms[language]).text
    other = draft.brand.name.usual("en").text
    if language == "zh" and random.random() < 0.35:
        brand = f"{other}/{brand}" if random.random() < 0.5 else other
    return [*promotion, brand]


def _code(draft: Draft, random: Random) -> list[str]:
    if draft.type.root not in _CODED or random.random() < 0.5:
        return []
    return [f"{random.choice('ABEGKMSTVX')}{random.choice([1, 2, 3, 5, 7, 9, 10, 20, 30, 50, 80, 100])}"]


def _form(lexicon: Lexicon, draft: Draft, key: str, language: Language, random: Random) -> Form:
    return common_first(random, lexicon.value(key, draft.values[key]).forms[language])


def _usual(lexicon: Lexicon, key: str, value: str, language: Language) -> str:
    return lexicon.value(key, value).usual(language).value


def _tail(form: Form, random: Random) -> str:
    return form.text if form.follows or random.random() < 0.5 else _capital(form.text)


def _capital(words: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in words.split(" "))

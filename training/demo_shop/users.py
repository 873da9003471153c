"""Users and their hidden tastes: what moves them beyond what they typed."""

from collections.abc import Sequence
from random import Random

from training.demo_shop.lexicon import Lexicon, ProductType
from training.demo_shop.randomness import fraction, stream
from training.demo_shop.schema import Split, User

_HELD_OUT, _VALIDATION = 0.2, 0.1
_DEPARTMENTS = 1
_COMMON = 12  # tastes are for the values most goods have
# Log-odds that a liked or disliked value adds to attractiveness, and how many of them a user has.
_TASTES = {"color": (1.0, 1, -0.2, 1), "style": (0.3, 4, -0.1, 2)}
_GENDER_TASTE = 0.6


def make_users(lexicon: Lexicon, seed: int, count: int) -> list[User]:
    """Draw `count` users; a fifth is held out for test, a tenth for validation."""
    return [_user(lexicon, f"u{place:04d}", stream(seed, "user", place)) for place in range(1, count + 1)]


def _user(lexicon: Lexicon, name: str, random: Random) -> User:
    interests = _interests(list(lexicon.types.values()), random)
    roots = {lexicon.types[category].root for category in interests}
    return User(
        id=name,
        split=_split(name),
        language="zh" if random.random() < 0.5 else "en",
        activity=random.gammavariate(1.0, 1.0),
        interests=interests,
        brands=_brands(lexicon, roots, random),
        attributes=_attributes(lexicon, random),
        price_level=random.betavariate(1.8, 1.8),
        price_weight=random.uniform(0.1, 0.3),
        history=(),
    )


def _split(name: str) -> Split:
    place = fraction("user", name)
    if place < _HELD_OUT:
        return "test"
    return "validation" if place < _HELD_OUT + _VALIDATION else "train"


def _interests(types: Sequence[ProductType], random: Random) -> dict[str, float]:
    """A few types, mostly of a few departments, with shares that sum to 1."""
    roots = random.sample(sorted({kind.root for kind in types}), _DEPARTMENTS)
    near = [kind for kind in types if kind.root in roots]
    chosen = random.sample(near, min(3, len(near)))
    weights = {kind.category: random.gammavariate(1.0, 1.0) * kind.weight + 0.05 for kind in chosen}
    whole = sum(weights.values())
    return {category: round(weight / whole, 6) for category, weight in sorted(weights.items())}


def _brands(lexicon: Lexicon, roots: set[str], random: Random) -> dict[str, float]:
    """One liked brand and one disliked in each department of interest."""
    tastes: dict[str, float] = {}
    for root in sorted(roots):
        names = [name for name, brand in lexicon.brands.items() if root in brand.roots]
        liked, disliked = random.sample(names, 2)
        tastes[liked] = round(random.uniform(1.1, 1.7), 3)
        tastes.setdefault(disliked, round(random.uniform(-0.4, -0.1), 3))
    return tastes


def _attributes(lexicon: Lexicon, random: Random) -> dict[str, dict[str, float]]:
    tastes: dict[str, dict[str, float]] = {}
    for key, (liking, liked, disliking, disliked) in _TASTES.items():
        values = random.sample(list(lexicon.attributes[key])[:_COMMON], liked + disliked)
        strengths = [liking] * liked + [disliking] * disliked
        tastes[key] = {
            value: round(strength * random.uniform(0.6, 1.4), 3)
            for value, strength in zip(values, strengths, strict=True)
        }
    mine, other = random.choice([("women", "men"), ("men", "women"), ("women", "men"), ("kids", "men")])
    tastes["gender"] = {mine: _GENDER_TASTE, other: -_GENDER_TASTE}
    return tastes

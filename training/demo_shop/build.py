"""Builds the whole shop and puts it in place at once."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from training.demo_shop import storage
from training.demo_shop.drafts import draft_products
from training.demo_shop.earlier import with_history
from training.demo_shop.lexicon import lexicon
from training.demo_shop.log import make_log
from training.demo_shop.pictures import draw_pictures
from training.demo_shop.products import make_products
from training.demo_shop.queries import make_queries
from training.demo_shop.reviews import make_reviews
from training.demo_shop.schema import DemoShop
from training.demo_shop.users import make_users

STEPS = ("products", "queries", "reviews", "users", "log", "pictures", "files")
_WRITERS = ("numpy", "pillow", "protobuf", "pyarrow")  # their versions decide bytes too


@dataclass(frozen=True)
class Size:
    """How much to make."""

    products: int = 2_000
    users: int = 600
    wishes: int = 2_600


class OccupiedFolder(Exception):
    """The folder holds something that is not a demo shop."""


def build(out: Path, seed: int, size: Size, step: Callable[[str], None] = lambda _: None) -> bool:
    """Make the shop in `out` and return True, or False when it is there already from the same parameters.

    `step` hears the name of each of STEPS when it begins. The folder appears whole or not at all; a shop of
    other parameters is replaced. Raises OccupiedFolder when `out` holds anything else.
    """
    wanted = fingerprint(seed, size)
    if _current(out) == wanted:
        return False
    if out.exists() and any(out.iterdir()) and not (out / storage.FINGERPRINT).is_file():
        raise OccupiedFolder(f"{out} holds files that are no demo shop; choose an empty folder or a new one")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        fresh = Path(temporary) / "shop"
        fresh.mkdir()
        _make(fresh, seed, size, step)
        (fresh / storage.FINGERPRINT).write_text(json.dumps(wanted, indent=2, sort_keys=True) + "\n")
        if out.exists():
            out.rename(Path(temporary) / "replaced")
        fresh.rename(out)
    return True


def fingerprint(seed: int, size: Size) -> dict[str, object]:
    """What decides the shop's bytes: parameters, this package's source and the libraries that write files."""
    folder = Path(__file__).parent
    sources = sorted([*folder.glob("*.py"), *folder.glob("words/*.yaml")])
    whole = hashlib.sha256()
    for source in sources:
        whole.update(source.name.encode() + source.read_bytes())
    return {
        "seed": seed,
        "products": size.products,
        "users": size.users,
        "wishes": size.wishes,
        "source": whole.hexdigest(),
        "libraries": {name: version(name) for name in _WRITERS},
    }


def _current(out: Path) -> object:
    path = out / storage.FINGERPRINT
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _make(root: Path, seed: int, size: Size, step: Callable[[str], None]) -> None:
    words = lexicon()
    step("products")
    drafts = draft_products(words, seed, size.products)
    products = make_products(words, drafts, seed)
    step("queries")
    queries = make_queries(words, drafts, seed, size.wishes)
    step("reviews")
    reviews = make_reviews(drafts, seed)
    step("users")
    users = with_history(words, products, make_users(words, seed, size.users), seed)
    step("log")
    log = make_log(words, products, queries, users, seed)
    step("pictures")
    draw_pictures(drafts, root)
    step("files")
    storage.save(DemoShop(root, tuple(products), tuple(queries), tuple(reviews), tuple(users), tuple(log)))

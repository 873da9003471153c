"""Real texts that permissive licences allow to train on: searches, questions and reviews.

They are added by the owner's choice; a folder of real data holds each set in a folder of its own. A tenth of
each set, half of the few real queries, is held out by what it says, for evaluation; a twentieth calibrates.
"""

import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.settings import StartupError
from training.intent.example import Example, Piece, plain

_SUPPORT = {"order_status"}
_PURCHASE = {"order"}
# Neither support of a shop nor surely outside of its scope.
_LEFT_OUT = {"shopping_list", "shopping_list_update", "redeem_rewards", "rewards_balance"}
_FINANCE = ("banking", "credit_cards")  # BANKING77 counts the like as support
HELD_OUT = 0.1
CALIBRATING = 0.05
HELD_OUT_QUERIES = 0.5
_SENTIMENTS = {"0": "negative", "1": "positive"}
_LONGEST_NAME = 40  # characters of a brand or a kind of product; longer ones are descriptions
_REVIEWS = ("amazon_cells_labelled.txt", "yelp_labelled.txt")


@dataclass(frozen=True)
class PublicSet:
    """A set's training texts, some that calibrate, and the licence they come under."""

    name: str
    licence: str
    examples: tuple[Example, ...]
    validation: tuple[Example, ...]


def public_sets(root: Path) -> list[PublicSet]:
    """Read the sets in `root`; raises StartupError naming what is missing."""
    return [
        _set("CLINC150", "CC BY 3.0", _read(root / "clinc150_en", _clinc)),
        _set("BANKING77", "CC BY 4.0", _read(root / "banking77_en", _banking)),
        _set("UCI labelled sentences", "CC BY 4.0", _read(root / "product_reviews_en", _reviews)),
        _set("Amazon ESCI", "Apache-2.0", _read(root / "esci_us", _esci)),
    ]


def _set(name: str, licence: str, texts: Sequence[Example]) -> PublicSet:
    calibrating = [_place(each.text) >= 1 - CALIBRATING for each in texts]
    return PublicSet(
        name,
        licence,
        tuple(each for each, flag in zip(texts, calibrating, strict=True) if not flag),
        tuple(each for each, flag in zip(texts, calibrating, strict=True) if flag),
    )


def held_out(text: str, share: float = HELD_OUT) -> bool:
    """Whether training leaves a text out, so that evaluation may judge it."""
    return _place(text) < share


def _place(text: str) -> float:
    """A number from 0 to 1 that hangs on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def off_topic(folder: Path) -> Callable[[str], bool]:
    """Return whether an intent of CLINC150, in `folder`, is none that a shop serves."""
    domains = json.loads((folder / "domains.json").read_text(encoding="utf-8"))
    left_out = _LEFT_OUT | {intent for domain in _FINANCE for intent in domains[domain]}
    return lambda intent: intent not in left_out | _SUPPORT | _PURCHASE


def _read(folder: Path, read: Callable[[Path], Iterator[Example]]) -> tuple[Example, ...]:
    try:
        return tuple(read(folder))
    except FileNotFoundError as error:
        raise StartupError(
            f"{error.filename} is missing; name the folder of real data with --data, or leave it out"
        ) from error


def _clinc(folder: Path) -> Iterator[Example]:
    outside = off_topic(folder)
    with gzip.open(folder / "data_full.json.gz", "rt", encoding="utf-8") as file:
        splits = json.load(file)
    for text, intent in [*splits["train"], *splits["oos_train"]]:
        if intent in _SUPPORT:
            yield plain(text, "support")
        elif intent in _PURCHASE:
            yield plain(text, "purchase")
        elif outside(intent):
            yield plain(text, "out_of_scope")


def _banking(folder: Path) -> Iterator[Example]:
    with (folder / "train.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if not held_out(text := row["text"].strip()):
                yield plain(text, "support")


def _reviews(folder: Path) -> Iterator[Example]:
    for name in _REVIEWS:
        for line in (folder / name).read_text(encoding="utf-8").split("\n"):
            text, _, label = line.rpartition("\t")
            if text and not held_out(text.strip()):
                yield plain(text.strip(), "review", _SENTIMENTS[label.strip()])


def _esci(folder: Path) -> Iterator[Example]:
    """Real queries, and searches put together from a product's brand and the name of its kind."""
    with (folder / "qrels.tsv").open(encoding="utf-8") as file:
        queries = {row["query"] for row in csv.DictReader(file, delimiter="\t")}
    yield from (plain(text, "browse") for text in sorted(queries) if not held_out(text, HELD_OUT_QUERIES))
    with gzip.open(folder / "products.jsonl.gz", "rt", encoding="utf-8") as file:
        pairs = {_brand_and_kind(json.loads(line)) for line in file}
    for brand, kind in sorted(pairs):
        if brand and kind and max(len(brand), len(kind)) <= _LONGEST_NAME:
            yield Example((Piece(brand, "brand", brand), Piece(" "), Piece(kind)), "browse", "")


def _brand_and_kind(product: Mapping[str, Any]) -> tuple[str, str]:
    path = product.get("category") or [""]
    return (product.get("brand") or "").strip(), str(path[-1]).strip().lower()

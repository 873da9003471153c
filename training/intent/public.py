"""Real sentences that permissive licences allow to train on: what shoppers say that is no search.

They are added by the owner's choice; a folder of real data holds each set in a folder of its own.
"""

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.settings import StartupError
from training.intent.example import Example, plain

_SUPPORT = {"order_status"}
_PURCHASE = {"order"}
# Neither support of a shop nor surely outside of its scope.
_LEFT_OUT = {"shopping_list", "shopping_list_update", "redeem_rewards", "rewards_balance"}
_FINANCE = ("banking", "credit_cards")  # BANKING77 counts the like as support
_REVIEWS = ("amazon_cells_labelled.txt", "yelp_labelled.txt")


@dataclass(frozen=True)
class PublicSet:
    """A set's training sentences and the licence they come under."""

    name: str
    licence: str
    examples: tuple[Example, ...]


def public_sets(root: Path) -> list[PublicSet]:
    """Read the sets in `root`; raises StartupError naming what is missing."""
    return [
        PublicSet("CLINC150", "CC BY 3.0", _read(root / "clinc150_en", _clinc)),
        PublicSet("BANKING77", "CC BY 4.0", _read(root / "banking77_en", _banking)),
        PublicSet("UCI labelled sentences", "CC BY 4.0", _read(root / "product_reviews_en", _reviews)),
    ]


def _read(folder: Path, read: Callable[[Path], Iterator[Example]]) -> tuple[Example, ...]:
    try:
        return tuple(read(folder))
    except FileNotFoundError as error:
        raise StartupError(
            f"{error.filename} is missing; name the folder of real data with --data, or leave it out"
        ) from error


def _clinc(folder: Path) -> Iterator[Example]:
    domains = json.loads((folder / "domains.json").read_text(encoding="utf-8"))
    left_out = _LEFT_OUT | {intent for domain in _FINANCE for intent in domains[domain]}
    with gzip.open(folder / "data_full.json.gz", "rt", encoding="utf-8") as file:
        splits = json.load(file)
    for text, intent in [*splits["train"], *splits["oos_train"]]:
        if intent in _SUPPORT:
            yield plain(text, "support")
        elif intent in _PURCHASE:
            yield plain(text, "purchase")
        elif intent not in left_out:
            yield plain(text, "out_of_scope")


def _banking(folder: Path) -> Iterator[Example]:
    with (folder / "train.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield plain(row["text"].strip(), "support")


def _reviews(folder: Path) -> Iterator[Example]:
    for name in _REVIEWS:
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            yield plain(line.rpartition("\t")[0].strip(), "review")

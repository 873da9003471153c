"""The sequence sets there are to evaluate, which are missing, and what was published of them."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

FOLDER = "amazon_s3rec"
EXPECTED = ("Beauty", "Toys_and_Games")
_LINES_LOOKED_AT = 5

# By S3-Rec's `run_finetune_full`, which ranks every item but those of the user's history (Zhou et al., CIKM
# 2020; the figures of its repository, quoted by Rajput et al., NeurIPS 2023, arXiv 2305.05065, table 1).
PUBLISHED: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "Beauty": {
        "published SASRec": {"hr@10_new": 0.0605, "ndcg@10_new": 0.0318},
        "published S3-Rec": {"hr@10_new": 0.0647, "ndcg@10_new": 0.0327},
    },
    "Toys_and_Games": {
        "published SASRec": {"hr@10_new": 0.0675, "ndcg@10_new": 0.0374},
        "published S3-Rec": {"hr@10_new": 0.0700, "ndcg@10_new": 0.0376},
    },
}


def find_sets(data: Path | None) -> dict[str, Path]:
    """By name, the files of `data`/amazon_s3rec whose lines are "user item item …", all numbers."""
    folder = data / FOLDER if data else None
    found = sorted(folder.glob("*.txt")) if folder and folder.is_dir() else []
    return {path.stem: path for path in found if _holds_sequences(path)}


def missing(found: Iterable[str], data: Path | None) -> list[str]:
    """A sentence for each expected set that is not there."""
    return [
        f"{name} is passed over: there is no {data or 'DATA'}/{FOLDER}/{name}.txt with lines "
        '"user item item …"'
        for name in EXPECTED
        if name not in found
    ]


def _holds_sequences(path: Path) -> bool:
    """Whether one of the first lines is a user's: a bad line among good ones is told, not passed over."""
    with path.open(encoding="utf-8", errors="replace") as file:
        lines = [line.split() for line in islice(file, _LINES_LOOKED_AT)]
    return any(len(line) > 1 and all(each.isdigit() for each in line) for line in lines)

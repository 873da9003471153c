"""Sets whose items have texts: how they are read, and that texts and history find more together."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.retrieval.text import passage
from tests.training.test_sequence import RECIPE
from training.evaluate.recommend.titled import (
    evaluate,
    find_titled,
    missing_titled,
    read_titled,
)

USERS, KINDS, PARTNERS = 100, 8, 8  # item "3-5" is number 5 of kind 3


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A shop whose texts tell the kind of what comes next, and whose histories the number in it."""
    random = np.random.default_rng(3)
    texts = {f"{kind}-{number}": _text(kind, number) for kind in range(KINDS) for number in range(PARTNERS)}
    walks = [_walk(random) for _ in range(USERS)]
    learnt = [(str(user), walk[:2], walk[2]) for user, walk in enumerate(walks)]
    learnt += [(str(user), walk[:3], walk[3]) for user, walk in enumerate(walks)]
    asked = [(str(user), walk[:4], walk[4]) for user, walk in enumerate(walks)]
    return write(tmp_path / "amazon_minionerec", texts, learnt, asked)


def write(
    folder: Path,
    texts: Mapping[str, Mapping[str, str]],
    learnt: Sequence[tuple[str, Sequence[str], str]],
    asked: Sequence[tuple[str, Sequence[str], str]],
) -> Path:
    """Write a set named Pens and return what its files begin with."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pens.item.json.gz").write_bytes(gzip.compress(json.dumps(texts).encode()))
    for name, rows in (("valid", learnt), ("test", asked)):
        lines = [f"{user}\t{' '.join(history)}\t{target}" for user, history, target in rows]
        text = "\n".join(["user\thistory\ttarget", *lines]) + "\n"
        (folder / f"Pens.{name}.tsv.gz").write_bytes(gzip.compress(text.encode()))
    return folder / "Pens"


def test_rows_of_a_user_are_joined_and_descriptions_are_read_as_text(start: Path) -> None:
    read = read_titled(start)
    assert len(read.train) == 90 and len(read.choosing) == 10 and len(read.test) == USERS
    assert all(len(user) == 4 for user in read.train)
    assert passage(read.products[0]) == "kind 0 number 0\nBrand\nfirst second"


def test_only_whole_sets_are_found_and_the_others_named(start: Path) -> None:
    data = start.parent.parent
    assert list(find_titled(data)) == ["Pens"]
    assert [each.split()[0] for each in missing_titled({}, data)] == [
        "Industrial_and_Scientific",
        "Office_Products",
    ]
    start.with_name("Pens.test.tsv.gz").unlink()
    assert not find_titled(data) and not find_titled(None)


def test_unknown_item_is_named_with_its_line(tmp_path: Path) -> None:
    wrong = write(tmp_path, {"a": _text(0, 0)}, [("7", ["a"], "b")], [])
    with pytest.raises(ValueError, match=r"Pens\.valid\.tsv\.gz, line 2: there is no item 'b'"):
        read_titled(wrong)


def test_texts_and_history_find_more_together(start: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=4)
    found, weight = evaluate(start, tmp_path / "runs", _encode, recipe)
    both, content, history = (
        found[f"Pens/{name}/ndcg@10_new"].value for name in ("hybrid", "content", "sasrec")
    )
    assert both > max(content, history) and weight > 0
    assert evaluate(start, tmp_path / "runs", _encode, recipe) == (found, weight)


def _text(kind: int, number: int) -> dict[str, str]:
    return {
        "title": f"kind {kind} number {number}",
        "description": "['first', 'second']",
        "brand": "Brand",
        "categories": "",
    }


def _walk(random: np.random.Generator) -> list[str]:
    """A user keeps to one kind, which texts tell better, for each item comes to few; numbers go up by one."""
    kind, number = random.integers(KINDS), random.integers(PARTNERS)
    return [f"{kind}-{(number + step) % PARTNERS}" for step in range(5)]


def _encode(name: str, texts: Sequence[str]) -> NDArray[np.float32]:
    kinds = np.array([int(text.split()[1]) for text in texts])
    embeddings: NDArray[np.float32] = np.eye(KINDS, dtype=np.float32)[kinds]
    return embeddings

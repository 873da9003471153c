"""Where a load's queries come from."""

from collections import Counter
from pathlib import Path

import pytest

from bench.queries import DEFAULT, Deck, QueryFileError, read


def test_queries_come_from_lines_judgments_or_a_shop(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("red shoe\n\n红色 鞋\nred shoe\n", encoding="utf-8")
    (tmp_path / "queries.jsonl").write_text('{"text": "茶 tea"}\n', encoding="utf-8")
    assert read(tmp_path / "lines.txt") == ["red shoe", "红色 鞋"]
    assert read(tmp_path) == ["茶 tea"]
    (tmp_path / "qrels.tsv").write_text("query_idx\tquery\tasin\n0\ttowels\tA\n0\ttowels\tB\n1\tlamp\tC\n")
    assert read(tmp_path) == ["towels", "lamp"]
    assert read(None) == list(DEFAULT)


@pytest.mark.parametrize(
    ("name", "contents"),
    [
        ("absent.txt", None),
        ("products.csv", "id,title\n1,shoe\n"),
        ("qrels.tsv", "q\ttext\n1\tshoe\n"),
        ("queries.jsonl", '{"query": "shoe"}\n'),
        ("queries.jsonl", "shoe\n"),
        ("queries.jsonl", "[1]\n"),
        ("empty.txt", "\n\n"),
        ("latin.txt", b"caf\xe9\n"),
    ],
)
def test_file_that_holds_no_queries_is_named(tmp_path: Path, name: str, contents: str | bytes | None) -> None:
    file = tmp_path / name
    if contents is not None:
        file.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with pytest.raises(QueryFileError, match=name):
        read(file)


def test_no_query_is_asked_again_before_all_were() -> None:
    distinct = [f"query {number}" for number in range(50)]
    deck = Deck(distinct, seed=1)
    dealt = [deck.deal() for _ in range(50)]
    assert sorted(dealt) == sorted(distinct) and dealt != distinct
    dealt += [deck.deal() for _ in range(75)]
    assert max(Counter(dealt).values()) == 3

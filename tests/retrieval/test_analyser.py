"""One analyser for products and queries, in Chinese and English."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.retrieval.analyser import analyse
from services.retrieval.lexical import LexicalIndex


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("T恤 黑色", ["t", "恤", "黑", "色", "黑色"]),
        ("夏季短袖", ["夏", "季", "短", "袖", "夏季", "季短", "短袖"]),
        ("Dresses, boxes & batteries", ["dress", "box", "battery"]),
        ("glass bus tennis", ["glass", "bus", "tennis"]),
        ("T-shirt", ["t", "shirt", "tshirt"]),
        ("Wi-Fi", ["wi", "fi", "wifi"]),
        ("MGKM2LL", ["mgkm2ll", "mgkm", "2", "ll"]),
        ("1.75 inch", ["1.75", "inch", "1.75inch"]),
        ("500 ml", ["500", "ml", "500ml"]),
        ("500ml", ["500ml", "500", "ml"]),
        ("extra large", ["extra", "large", "xl"]),
        ("連衣裙", ["连", "衣", "裙", "连衣", "衣裙"]),
        ("$1,299.00", ["1299.00"]),
        ("café CAFÉ", ["cafe", "cafe"]),
        ("한국어 テスト", ["한국어", "テスト"]),
        ("🎉 !?", []),
        ("", []),
    ],
)
def test_text_becomes_terms(text: str, terms: list[str]) -> None:
    assert analyse(text) == terms


def test_width_and_case_make_no_difference() -> None:
    assert analyse("ＡＢＣ１２３　Ｔ恤") == analyse("abc123 t恤")


@pytest.mark.parametrize(
    ("one", "other"),
    [("tshirt", "T-Shirts"), ("iphone 13", "iPhone13"), ("u2", "U-2"), ("mens shoe", "men's shoes")],
)
def test_spellings_of_one_word_meet(one: str, other: str) -> None:
    assert set(analyse(one)) & set(analyse(other))


@pytest.mark.parametrize(
    "spellings",
    [
        ("500ml", "500 ml", "0.5L", "0.5 litres", "500毫升", "５００ｍｌ", "12x500ml"),
        ('42"', "42 inch", "42-inch", "42英寸", "42 in", "42寸", "42″"),
        ("16GB", "16 gb", "16000MB"),
        ("1TB", "1,000 GB"),
        ("1.5kg", "1500 g", "1500克", "3斤"),
        ("XL", "x-large", "extra large", "特大", "特大号", "加大码"),
        ("2XL", "XXL", "xx-large", "2X Large"),
        ("size M", "size: medium", "中码"),
        ("one size", "均码"),
        ("16 fl oz", "16 fl. oz", "16 fluid ounces"),
        ("2 lb", "32 ounces", "2磅"),
        ("10000mAh", "10000毫安时"),
    ],
)
def test_spellings_of_one_measure_or_size_share_a_term(spellings: tuple[str, ...]) -> None:
    shared = set.intersection(*(set(analyse(spelling)) for spelling in spellings))
    assert any(not term.isalpha() or term in ("xl", "sizem", "onesize") for term in shared), shared


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("5-in-1 charger", "5inch"),
        ("2 in 1 laptop", "2inch"),
        ("5米色地毯", "5000mm"),
        ("2升级版", "2000ml"),
        ("men's large shirt", "sizel"),
        ("a 5 meal plan", "5000mm"),
        ("1.2.3 ml", "3ml"),
    ],
)
def test_what_only_begins_like_a_measure_is_none(text: str, never: str) -> None:
    assert never not in analyse(text)


def test_traditional_and_simplified_titles_meet() -> None:
    assert analyse("男士襯衫 電腦後蓋") == analyse("男士衬衫 电脑后盖")


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_analysed_alike_twice_and_no_term_holds_a_space(text: str) -> None:
    terms = analyse(text)
    assert terms == analyse(text)
    assert all(term and not any(character.isspace() for character in term) for term in terms)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["黑色", "T恤", "shirt", "R50", "1.75", "夏"]), max_size=8))
def test_words_apart_are_analysed_word_by_word(words: list[str]) -> None:
    assert analyse(" ".join(words)) == [term for word in words for term in analyse(word)]


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii"), max_size=200))
def test_what_stands_around_ascii_words_does_not_change_them(text: str) -> None:
    assert analyse(f"{text} 黑") == [*analyse(text), "黑"]


def test_a_megabyte_is_analysed() -> None:
    assert len(analyse("黑色 shirt " * 100_000)) == 400_000


def test_real_taobao_queries_find_their_titles(real_data: Path) -> None:
    titles = {row["pid"]: row["title"] for row in _table(real_data / "multi_cpr_ecom_zh" / "mini_corpus.tsv")}
    wanted = _table(real_data / "multi_cpr_ecom_zh" / "mini_qrels.tsv")
    index = LexicalIndex()
    for row, title in enumerate(titles.values()):
        index.put(row, analyse(title))
    rows = {pid: row for row, pid in enumerate(titles)}
    reciprocal = []
    for judged in wanted:
        scores = index.scores(analyse(judged["query"]), len(titles))
        own = scores[rows[judged["pid"]]]
        rank = 1 + int((scores > own).sum())
        reciprocal.append(1 / rank if own > 0 and rank <= 10 else 0)
    assert np.mean(reciprocal) > 0.82


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))

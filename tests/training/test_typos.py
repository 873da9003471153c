"""Typos for the evaluation: one a query, of the kinds people make, the same in every run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from runtime.spelling.confusion import homophones, look_alikes
from training.evaluate.sets import JudgedQuery
from training.evaluate.typos import chinese_typo_groups, with_typo, with_typos


@given(st.text(st.characters(codec="ascii"), max_size=60))
def test_a_typo_is_one_edit_in_one_word(text: str) -> None:
    typed = with_typo(text)
    assert OSA.distance(text, typed) <= 1
    assert typed == with_typo(text)


@pytest.mark.parametrize(
    "text", ["black summer shirt", "Nike", "usb 3.0 cable", "without c wire", "黑色短袖"]
)
def test_a_query_with_a_long_word_or_two_characters_gets_one(text: str) -> None:
    assert with_typo(text) != text


@pytest.mark.parametrize("text", ["tv", "2 in 1", "A100B200", "黑 T恤", "", "🎉"])
def test_short_words_and_model_numbers_get_none(text: str) -> None:
    assert with_typo(text) == text


def test_all_kinds_of_typos_are_made() -> None:
    words = [f"{head}kingdom{tail}" for head in "bcdfg" for tail in "hjklm"]
    changes = {len(with_typo(word)) - len(word) for word in words}
    swapped = [word for word in words if sorted(with_typo(word)) == sorted(word)]
    assert changes == {-1, 0, 1}
    assert 0 < len(swapped) < sum(len(with_typo(word)) == len(word) for word in words)


def test_each_kind_of_chinese_mistake_has_its_group() -> None:
    groups = chinese_typo_groups("shop", [JudgedQuery("黑色短袖裙", {"p": 1.0}), JudgedQuery("tv", {})])
    assert list(groups) == ["shop_homophone_typos", "shop_look_alike_typos", "shop_swap_typos"]
    (homophone,), (look_alike,), (swapped,) = groups.values()
    assert sorted(swapped.text) == sorted("黑色短袖裙")
    for query, alike in ((homophone, homophones), (look_alike, look_alikes)):
        ((meant, typed),) = [
            pair for pair in zip("黑色短袖裙", query.text, strict=True) if len(set(pair)) > 1
        ]
        assert typed in alike(meant)


def test_judgments_stay_and_queries_without_a_typo_are_left_out() -> None:
    queries = [JudgedQuery("winter coat", {"p": 1.0}, "冬季外套"), JudgedQuery("tv", {"q": 1.0})]
    (mistyped,) = with_typos(queries)
    assert mistyped.gains == {"p": 1.0}
    assert mistyped.text != "winter coat"
    assert not mistyped.twin

"""The demo shop's files and goods: whole, the same from the same seed, and true to what they say."""

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from catalog.checking import check
from training.demo_shop import DemoShop, load
from training.demo_shop.__main__ import main
from training.demo_shop.build import OccupiedFolder, Size, build
from training.demo_shop.lexicon import LANGUAGES, lexicon

SMALL = Size(products=300, users=20, wishes=200)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> DemoShop:
    root = tmp_path_factory.mktemp("shop") / "demo"
    build(root, 7, SMALL)
    return load(root)


def _digests(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(shop: DemoShop, tmp_path: Path) -> None:
    build(tmp_path / "same", 7, SMALL)
    assert _digests(tmp_path / "same") == _digests(shop.root)
    build(tmp_path / "other", 8, SMALL)
    other = _digests(tmp_path / "other")
    differing = {name for name in other if other[name] != _digests(shop.root).get(name)}
    assert {"products.jsonl", "queries.jsonl", "reviews.jsonl", "users.jsonl", "log.parquet"} <= differing


def test_shop_is_made_once_and_replaced_when_parameters_change(tmp_path: Path) -> None:
    tiny = Size(products=80, users=3, wishes=20)
    assert build(tmp_path / "shop", 7, tiny)
    assert not build(tmp_path / "shop", 7, tiny)
    assert build(tmp_path / "shop", 7, Size(products=90, users=3, wishes=20))
    assert len(load(tmp_path / "shop").products) == 90
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_interrupted_build_leaves_the_old_shop_and_nothing_else(tmp_path: Path) -> None:
    tiny = Size(products=80, users=3, wishes=20)
    build(tmp_path / "shop", 7, tiny)
    before = _digests(tmp_path / "shop")

    def stop(step: str) -> None:
        if step == "files":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "shop", 8, tiny, stop)
    assert _digests(tmp_path / "shop") == before
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_folder_with_other_files_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(OccupiedFolder, match="no demo shop"):
        build(tmp_path, 7, SMALL)
    assert main(["--out", str(tmp_path), "--products", "80"]) == 2
    assert "choose an empty folder" in capsys.readouterr().err
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_absent_shop_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"python -m training\.demo_shop --out"):
        load(tmp_path)


def test_size_below_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--products", "0"])
    assert "must be at least 1, got 0" in capsys.readouterr().err


def test_goods_are_bilingual_of_forty_types_and_valid(shop: DemoShop) -> None:
    assert len(shop.products) == 300 and len(shop.categories) >= 40
    assert len(lexicon().types) >= 40
    for product in shop.products:
        check(product)
        assert any("一" <= letter <= "鿿" for letter in product.title["zh"] + product.description["zh"])
        assert product.title["en"].isprintable() and product.title["en"] != product.title["zh"]
        kind = lexicon().types["/".join(product.category_path)]
        for key, each in product.attributes.items():
            assert each.values[0] in kind.attributes[key]


def test_description_names_every_attribute_in_both_languages(shop: DemoShop) -> None:
    words = lexicon()
    for product in shop.products:
        for key, values in product.attributes.items():
            for language in LANGUAGES:
                usual = words.value(key, values.values[0]).usual(language).value
                assert usual in product.description[language]


def test_pictures_show_the_colour(shop: DemoShop) -> None:
    for product in shop.products[:50]:
        with Image.open(shop.root / product.images[0].uri) as picture:
            assert picture.size == (product.images[0].width, product.images[0].height)
    shirts = {picture.read_bytes() for picture in shop.root.glob("images/t-shirt-*.png")}
    assert len(shirts) == len(list(shop.root.glob("images/t-shirt-*.png"))) > 1


def test_words_are_not_ambiguous() -> None:
    words = lexicon()
    names = [
        form.text for kind in words.types.values() for each in LANGUAGES for form in kind.name.forms[each]
    ]
    assert len(names) == len(set(names))
    for key, values in words.attributes.items():
        owners: dict[str, set[str]] = {}
        for value, name in values.items():
            for language in LANGUAGES:
                for form in name.forms[language]:
                    owners.setdefault(form.value.casefold(), set()).add(value)
        assert {form: owned for form, owned in owners.items() if len(owned) > 1} == {}, key


def test_no_type_is_named_by_a_value_its_goods_may_have() -> None:
    words = lexicon()
    clashes = [
        (kind.category, form.text, value)
        for kind in words.types.values()
        for language in LANGUAGES
        for form in kind.name.forms[language]
        for key, values in kind.attributes.items()
        for value in values
        for other in words.value(key, value).forms[language]
        if other.value in (form.text if language == "zh" else form.text.split())
    ]
    assert clashes == []


def test_reviews_agree_with_their_ratings_and_test_ones_open_with_unseen_words(shop: DemoShop) -> None:
    assert {review.sentiment for review in shop.reviews} == {"positive", "neutral", "negative"}
    assert {review.language for review in shop.reviews} == {"zh", "en"}
    for review in shop.reviews:
        assert review.aspects[-1].sentiment == review.sentiment
        assert (review.sentiment == "negative") == (review.rating <= 2)
    known = {review.text for review in shop.reviews if review.split == "train"}
    assert not known & {review.text for review in shop.reviews if review.split == "test"}

"""The comparison of ingredients: each is one change, and what was not measured is not shown."""

from dataclasses import replace

from training.evaluate.ingredients import VARIANTS, Measured, against_plain, comparison
from training.retriever.recipe import RECIPES


def test_each_variant_is_one_of_its_own() -> None:
    made = [
        (replace(RECIPES[each.recipe], **each.changes), each.catalogue, each.dimension)
        for each in VARIANTS.values()
    ]
    assert len(set(made)) == len(VARIANTS)
    assert all(recipe.hard_negatives for recipe, *_ in made if recipe.distillation)


def test_only_what_was_measured_is_compared() -> None:
    table = comparison(
        {"plain": Measured({"esci_us/fused/ndcg@10": 0.5}, {}), "other": Measured({"else": 0.4}, {})}, {}
    )
    assert [column.header for column in table.columns] == ["figure", "plain", "other"]
    assert [list(column.cells) for column in table.columns] == [["esci_us/fused/ndcg@10"], ["0.5000"], [""]]


def test_variants_are_compared_with_the_plain_one_query_by_query() -> None:
    figure = "esci_us/fused/ndcg@10"
    plain = Measured({figure: 0.5}, {figure: [0.25, 0.5, 0.75]})
    better = Measured({figure: 0.6}, {figure: [0.35, 0.6, 0.85]})
    differences = against_plain({"plain": plain, "better": better})
    assert list(differences) == ["better"]
    assert abs(differences["better"][figure].difference - 0.1) < 1e-9
    table = comparison({"plain": plain, "better": better}, differences)
    assert list(table.columns[2].cells) == ["0.6000 (+0.100 to +0.100)"]


def test_without_the_plain_one_nothing_is_compared() -> None:
    assert against_plain({"multi-positive": Measured({}, {})}) == {}

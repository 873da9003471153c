"""The comparison of ingredients: each is one change, and what was not measured is not shown."""

from dataclasses import replace

from training.retriever.ingredients import VARIANTS, comparison
from training.retriever.recipe import RECIPES


def test_each_variant_is_one_of_its_own() -> None:
    made = [
        (replace(RECIPES[each.recipe], **each.changes), each.catalogue, each.dimension)
        for each in VARIANTS.values()
    ]
    assert len(set(made)) == len(VARIANTS)
    assert all(recipe.hard_negatives for recipe, *_ in made if recipe.distillation)


def test_only_what_was_measured_is_compared() -> None:
    table = comparison({"plain": {"esci_us/fused/ndcg@10": 0.5}, "other": {"esci_us/dense/ndcg@10": 0.4}})
    assert [column.header for column in table.columns] == ["ingredient", "esci_us/fused/ndcg@10"]
    assert list(table.columns[1].cells) == ["0.5000", ""]

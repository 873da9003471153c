"""What a batch costs the encoder: the recipe's losses as one."""

from dataclasses import dataclass

from torch import Tensor

from training.retriever.batches import Batch
from training.retriever.contrast import info_nce, listwise_divergence, matryoshka
from training.retriever.embedder import Embedder
from training.retriever.recipe import Recipe
from training.retriever.teacher import Teacher


@dataclass(frozen=True)
class Objective:
    """The loss of `embedder` on a batch, scalar; a recipe that distils needs a `teacher`."""

    embedder: Embedder
    recipe: Recipe
    teacher: Teacher | None

    def __call__(self, batch: Batch) -> Tensor:
        """Contrast, and what the teacher says of the listed pairs, at every dimension of the recipe."""
        recipe, logits = self.recipe, self._taught(batch)

        def at_one_dimension(queries: Tensor, passages: Tensor) -> Tensor:
            loss = info_nce(
                queries,
                passages,
                batch.relevant,
                temperature=recipe.temperature,
                symmetric=recipe.symmetric,
                multi_positive=recipe.multi_positive,
            )
            if logits is None:
                return loss
            apart = listwise_divergence(queries @ passages.T, logits, temperature=recipe.temperature)
            return loss + recipe.distillation * apart

        queries, passages = self.embedder(**batch.queries), self.embedder(**batch.passages)
        return matryoshka(at_one_dimension, queries, passages, recipe.dimensions)

    def _taught(self, batch: Batch) -> Tensor | None:
        if self.teacher is None or not self.recipe.distillation:
            return None
        return self.teacher.logits(batch.query_texts, batch.passage_texts, batch.listed)

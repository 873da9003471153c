"""What the best products agree on: the kind of goods that is wanted.

Accessories and look-alikes share a thing's words and lie near to its meaning: a case "for AirPods" is no
earphone. What most of the best products are, the others are likely to have to be too.
"""

from dataclasses import dataclass

import numpy as np

from services.retrieval.columns import ColumnStore
from services.retrieval.fusion import Rows, Scores
from services.retrieval.values import Codes, ValuesColumn

# For the category that all of the best are of, in deviations of the dense scores. On the demo shop's 498
# validation queries nDCG@10 is .923 without, .930 with 1, .933 with 1.5, and rises to 3: each is of one
# category. A real shop's may be of several.
WEIGHT = 1.5
BEST = 10
_LEVEL = 2  # of the category tree, from the root: broad enough for most of the best to be of one


@dataclass(frozen=True)
class Agreement:
    """The categories of the best products, int32 [m], their codes, and the share of the best that each has.

    shares: float32 [m], 0 to 1, of those whose category is known.
    """

    categories: Codes
    shares: Scores

    @classmethod
    def of(cls, best: Rows, columns: ColumnStore) -> "Agreement":
        """Return what `best`, the best products of a query, agree on."""
        column = _categories(columns)
        codes = column.at(best) if column else np.zeros(0, np.int32)
        categories, counts = np.unique(codes[codes >= 0], return_counts=True)
        return cls(categories, (counts / max(counts.sum(), 1)).astype(np.float32))

    def scores(self, rows: Rows, columns: ColumnStore) -> Scores:
        """Return how far `rows` are of the kind that is wanted: float32 [n], 0 to 1.

        A product without category gets half of what those of the commonest one do.
        """
        column, scores = _categories(columns), np.zeros(rows.size, np.float32)
        if column is None or not self.categories.size:
            return scores
        codes = column.at(rows)
        scores[codes < 0] = self.shares.max() / 2
        for category, share in zip(self.categories, self.shares, strict=True):
            scores[codes == category] = share
        return scores


def _categories(columns: ColumnStore) -> ValuesColumn | None:
    levels = columns.levels[:_LEVEL]
    return levels[-1] if levels else None

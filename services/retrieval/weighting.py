"""How much a query's words count beside its meaning: told by the query and the catalogue, without labels.

A channel's standardised scores say which products it prefers, not how sure it is. For words two things tell:

- The deviation of the BM25 scores over the catalogue: words that divide the products sharply deviate by
  more than those that all products have, or none (query commitment: Shtok et al., "Predicting query
  performance by query-drift estimation", 2012). Its square root lies half-way between standardised scores,
  which forget it, and BM25's own units, which let Chinese count twice, by characters and by pairs of them.
- The share of the query that names products rather than describes them: model numbers, of which an embedding
  knows little and a shop that is searched by them has one for each product.
"""

import math
from collections.abc import Callable, Sequence

from services.retrieval.lexical import idf

_NAMING = 2.0  # a query that is a model number and nothing else counts so many times more
_FEW, _FEW_SHARE = 2, 0.002  # products that one name may have
_NUMBER = 4  # digits; fewer are a count or a size


def emphasis(deviation: float, naming: float) -> float:
    """Return by what the lexical weight is multiplied for one query.

    deviation: of its BM25 scores over the catalogue; naming: `naming_share` of it, 0 to 1.
    """
    return math.sqrt(deviation) * (1 + _NAMING * naming)


def naming_share(terms: Sequence[str], documents: Callable[[str], int], products: int) -> float:
    """Return which share of the idf of a query's `terms` lies in those that name a few products, 0 to 1.

    Such a term looks like a model number and occurs in at most one product of 500, or in two.
    documents: how many of the `products` hold a term.
    """
    most = max(_FEW, _FEW_SHARE * products)
    names = {term for term in terms if _is_identifier(term) and 0 < documents(term) <= most}
    if not names:
        return 0.0
    gains = {term: idf(documents(term), products) for term in terms}
    return sum(gains[term] for term in names) / sum(gains.values())


def _is_identifier(term: str) -> bool:
    digits = sum(character.isdigit() for character in term)
    return 0 < digits < len(term) or digits >= _NUMBER

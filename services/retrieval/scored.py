"""A pool of a query's rows with what every channel says of them."""

from dataclasses import dataclass

from services.retrieval.answer import Pool
from services.retrieval.fusion import Scores
from services.retrieval.inner_products import Vectors


@dataclass(frozen=True)
class Scored:
    """A pool of a query's rows with its lexical and standardised dense scores, float32 [pool].

    `towards` is the direction of the feedback, float32 [dim].
    """

    pool: Pool
    lexical: Scores
    dense: Scores
    towards: Vectors

"""A pool of a query's rows with what every channel says of them."""

from dataclasses import dataclass

from services.retrieval.agreement import Agreement
from services.retrieval.answer import Pool
from services.retrieval.fusion import Scores
from services.retrieval.inner_products import Vectors


@dataclass(frozen=True)
class Said:
    """What the best of a query's products say of the others.

    The direction of the feedback, float32 [dim], and what they agree on.
    """

    towards: Vectors
    agreement: Agreement


@dataclass(frozen=True)
class Scored:
    """A pool of a query's rows with its lexical and standardised dense scores, float32 [pool]."""

    pool: Pool
    lexical: Scores
    dense: Scores
    said: Said

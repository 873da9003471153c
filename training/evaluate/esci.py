"""Real catalogues with graded judgments, in the layout of the Amazon Shopping Queries subset.

products.jsonl.gz, and qrels.tsv with a row per judgment: query, asin, gain (Reddy et al. 2022,
arXiv 2206.06588: Exact 1, Substitute .1, Complement .01, Irrelevant 0).
"""

from pathlib import Path

from aisle.catalog.v1.product_pb2 import Product
from catalog.reading import Rejected, Source
from services.retrieval.words.exclusions import read
from training.evaluate.sets import EXCLUDING, EvaluationSet, JudgedQuery, columns
from training.evaluate.typos import SUFFIX, with_typos

JUDGMENTS = "qrels.tsv"
# Of the data folder's README: nothing trained, exact search, reciprocal rank fusion (k 60) of BM25 over plain
# words and multilingual-e5-small; "weighted" is standardised dense + .1 standardised BM25.
BASELINES = {
    "lexical/ndcg@10": 0.564,
    "dense/ndcg@10": 0.643,
    "fused/ndcg@10": 0.637,
    "weighted/ndcg@10": 0.660,
    "lexical/recall@100": 0.823,
    "dense/recall@100": 0.859,
    "fused/recall@100": 0.882,
}


def is_esci(folder: Path) -> bool:
    """Whether the folder is laid out like this."""
    return (folder / JUDGMENTS).exists() and any(folder.glob("products.jsonl*"))


def read_esci(folder: Path) -> EvaluationSet:
    """The whole catalogue and its judged queries, as they are, with typos, and those that exclude something.

    Raises ValueError on a row that is not as it should be.
    """
    gains: dict[str, dict[str, float]] = {}
    for row in columns(folder / JUDGMENTS, ("query", "asin", "gain")):
        gains.setdefault(row["query"], {})[row["asin"]] = float(row["gain"])
    queries = [JudgedQuery(text, judged) for text, judged in gains.items()]
    baselines = BASELINES if folder.name == "esci_us" else {}
    groups = {
        folder.name: queries,
        f"{folder.name}{SUFFIX}": with_typos(queries),
        f"{folder.name}{EXCLUDING}": [query for query in queries if read(query.text).unwanted],
    }
    measures = ("ndcg@10", "recall@100")
    return EvaluationSet(folder.name, _products(folder), groups, measures, baselines, examined=True)


def _products(folder: Path) -> list[Product]:
    rows = [(line, row) for line, row in Source.find(folder).read()]
    rejected = [f"line {line}: {row.reason}" for line, row in rows if isinstance(row, Rejected)]
    if rejected:
        raise ValueError(f"{folder}: {len(rejected)} rows are no products; {rejected[0]}")
    return [row for _, row in rows if not isinstance(row, Rejected)]

"""The closed Chinese set: real Taobao queries over 2,083 titles, one relevant title each.

Multi-CPR (Long et al. 2022, arXiv 2203.03367); evaluation only, nothing is trained on it.
"""

from pathlib import Path

from aisle.catalog.v1.product_pb2 import Product
from training.evaluate.metrics import FULL_GAIN
from training.evaluate.sets import EvaluationSet, JudgedQuery, columns
from training.evaluate.typos import SUFFIX, chinese_typo_groups, with_typos

CORPUS, JUDGMENTS = "mini_corpus.tsv", "mini_qrels.tsv"
BASELINES = {"lexical/mrr@10": 0.853, "dense/mrr@10": 0.820, "fused/mrr@10": 0.861}


def is_multi_cpr(folder: Path) -> bool:
    """Whether the folder holds the closed set."""
    return (folder / CORPUS).exists() and (folder / JUDGMENTS).exists()


def read_multi_cpr(folder: Path) -> EvaluationSet:
    """The set; raises ValueError naming file and line on a row that is not as it should be."""
    products = [
        Product(id=row["pid"], title={"zh": row["title"]})
        for row in columns(folder / CORPUS, ("pid", "title"))
    ]
    gains: dict[str, dict[str, float]] = {}
    for row in columns(folder / JUDGMENTS, ("query", "pid")):
        gains.setdefault(row["query"], {})[row["pid"]] = FULL_GAIN
    queries = [JudgedQuery(text, judged) for text, judged in gains.items()]
    groups = {
        folder.name: queries,
        f"{folder.name}{SUFFIX}": with_typos(queries),
        **chinese_typo_groups(folder.name, queries),
    }
    return EvaluationSet(folder.name, products, groups, ("mrr@10",), BASELINES)

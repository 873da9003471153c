"""Measures the retrieval index beside FAISS and Milvus Lite, the query encoder excluded.

    python -m bench.retrieval --sets demo10k,demo100k

Exits 1 with a sentence when the model or the demo shop is absent.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import faiss
from rich.console import Console

from bench import machine, values
from bench.report import settings as told
from bench.report import write
from bench.retrieval import picture, report, runs
from bench.retrieval.sets import SETS, Folders, make
from runtime.settings import StartupError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the process's exit status."""
    options = _parse(argv)
    folders = Folders(options.models, options.shop, options.cache)
    about: dict[str, object] = {"commit": machine.commit(), "machine": machine.machine()}
    figures: dict[str, float] = {}
    console = Console(width=150)
    try:
        for name in options.sets:
            console.print(f"{name}: making the catalogue and its embeddings")
            searched = make(name, options.queries, folders)
            for row in runs.measured(searched):
                figures |= {f"{name}/{row.system}/{measure}": value for measure, value in row.values.items()}
    except (StartupError, FileNotFoundError) as error:
        print(f"{error}; run `make models` first", file=sys.stderr)
        return 1
    console.print(report.table(figures))
    _save(options, figures, about)
    console.print(f"written to {options.out} and {options.out.with_suffix('.png')}")
    return 0


def _save(options: argparse.Namespace, figures: dict[str, float], about: dict[str, object]) -> None:
    settings = told(options) | {
        "faiss": faiss.__version__,
        "embeddings": "demo: the shop's real ones, perturbed; synthetic: 4,000 random clusters",
        "order": "one query after the other; the encoder is excluded",
    }
    write(options.out, {"figures": figures, **about, "settings": settings})
    where = machine.machine()
    caption = f"{where['processor']}, {where['cores']} cores · commit {about['commit']}"
    picture.draw(options.out.with_suffix(".png"), figures, caption)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.retrieval",
        description="Measure the retrieval index in process, beside FAISS and Milvus Lite called directly.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--sets",
        type=values.names(list(SETS)),
        default=["demo10k", "demo100k"],
        help=f"of {', '.join(SETS)}, with commas",
    )
    parser.add_argument("--queries", type=values.queries, default=600, help="queries of each set")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the generated demo shop")
    parser.add_argument(
        "--cache", type=Path, default=Path("state/bench-retrieval"), help="folder of embeddings"
    )
    parser.add_argument("--out", type=Path, default=Path("results/bench-retrieval.json"), help="the figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())

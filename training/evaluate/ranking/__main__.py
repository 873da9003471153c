"""What the ranker and its order are worth: python -m training.evaluate.ranking --models models"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
from rich.table import Column, Table

from runtime.inference.encoder import TextModel
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.intent.model import MODEL as INTENT
from services.intent.model import IntentModel
from services.ranking.model import BASELINES, RankingModel
from services.ranking.model import MODEL as RANKER
from services.ranking.settings import RankingSettings
from training.demo_shop import DemoShop, Request, load
from training.evaluate.embeddings import EmbeddingCache
from training.evaluate.ranking.cases import Case, CaseMaker
from training.evaluate.ranking.comparison import compare, ratios, ratios_table
from training.evaluate.ranking.logged import LATER_DAYS, later, logged_figures, logged_rows, logged_table
from training.evaluate.ranking.position_bias import bias_table, learned_from, position_bias
from training.evaluate.ranking.sweeps import Tried, blends, by_intent, diversities, flat
from training.evaluate.ranking.upstream import read_upstream
from training.evaluate.report import report_console, write_record
from training.ranker.recipe import Recipe
from training.ranker.upstream import RETRIEVER, Upstream

_MOST_SHOWN = 12
_HEADS = ("order", "nDCG@10", "by clicks", "by purchases", "clicks", "purchases", "categories", "brands")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with a sentence on stderr when nothing can be evaluated."""
    options = _parse(argv)
    try:
        return _evaluate(options)
    except (StartupError, FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _evaluate(options: argparse.Namespace) -> int:
    start, console = time.monotonic(), report_console()
    settings = RankingSettings(models=options.models)
    store, shop = ModelStore(options.models), load(options.shop)
    requests = _sample(shop, options.split, options.requests, of_queries=True)
    visits = _sample(shop, options.split, options.requests, of_queries=False)
    logged = [request for request in shop.log if request.split == options.split]
    learned = [] if options.without_bias else learned_from(shop.log, options.bias_requests)
    upstream, models = _opened(options, store, shop, [*requests, *logged, *learned])
    maker = CaseMaker(shop, upstream, models)
    rows = logged_rows(shop, logged, upstream, maker.contexts)
    figures = logged_figures(rows, logged, models[RANKER])
    console.print(logged_table(figures, options.split))
    searches, homes = list(maker.searches(requests)), list(maker.homes(visits))
    compared = {
        "search, baselines": compare(searches, settings.search),
        f"search, baselines, last {LATER_DAYS} days": compare(
            [case for case, late in zip(searches, later(requests), strict=True) if late], settings.search
        ),
        "home, baselines": compare(homes, settings.home),
    }
    for title, tried in compared.items():
        console.print(_table(f"{title}: {options.split}", tried), ratios_table(title, tried))
        figures |= {f"{title}/ratio/{name}": value for name, value in ratios(tried).items()}
    if learned:
        biased = logged_rows(shop, learned, upstream, maker.contexts)
        found = position_bias(biased, searches, Recipe(), options.runs)
        console.print(bias_table(found, searches))
        figures |= {f"position bias/{name}/kendall": value for name, value in found.items()}
    tables = compared | _tables(searches, homes, settings, options.least)
    for title, tried in tables.items():
        if title not in compared:
            console.print(_table(f"{title}: {options.split}", tried))
    for title, tried in tables.items():
        figures |= flat(title, tried)
    write_record(
        options.out,
        figures,
        {
            "split": options.split,
            "searches": len(searches),
            "recommendations": len(homes),
            "models": {name: store.current(name) for name in (RETRIEVER, INTENT, RANKER, *BASELINES)},
            "search": settings.search.model_dump(mode="json"),
            "home": settings.home.model_dump(mode="json"),
        },
    )
    console.print(f"{options.out} written, {time.monotonic() - start:.0f} s")
    return 0


def _tables(
    searches: Sequence[Case], homes: Sequence[Case], settings: RankingSettings, least: int
) -> dict[str, list[Tried]]:
    """Return what is chosen between: the blends, over all and by intent, and the strengths of diversity."""
    tables = {"search": blends(searches, settings.search)}
    for intent, cases in sorted(by_intent(searches).items()):
        if len(cases) >= least:
            tables[f"search, {intent}"] = blends(cases, settings.search)
    tables["search, diversity"] = diversities(searches, settings.search)
    tables["home, diversity"] = diversities(homes, settings.home)
    return tables


def _opened(
    options: argparse.Namespace, store: ModelStore, shop: DemoShop, requests: Sequence[Request]
) -> tuple[Upstream, dict[str, RankingModel]]:
    inference = InferenceSettings(models=options.models, threads=options.threads)
    retriever = TextModel.open(store, RETRIEVER, inference)
    intent = IntentModel.open(store, inference)
    asked = [shop.query[each] for each in sorted({request.query_id for request in requests})]
    upstream = read_upstream(shop, asked, retriever, intent, EmbeddingCache(options.cache, retriever))
    names = (RANKER, *BASELINES)
    return upstream, {name: RankingModel.open(store, inference, name=name) for name in names}


def _sample(shop: DemoShop, split: str, most: int, *, of_queries: bool) -> list[Request]:
    """Return requests of the split's users, spread over the whole log; with queries of that split alone,
    where the query matters."""
    found = [
        request
        for request in shop.log
        if request.split == split and (not of_queries or shop.query[request.query_id].split == split)
    ]
    if not found:
        raise ValueError(f"{shop.root} has no request of the split {split}")
    return [found[place] for place in np.unique(np.linspace(0, len(found) - 1, most).astype(int))]


def _table(title: str, tried: Sequence[Tried]) -> Table:
    """The named orders, and some of a grid's that no other is at least as good as in everything."""
    columns = [Column(head, no_wrap=True) for head in _HEADS]
    drawn = Table(*columns, title=title, caption="blends: fused / relevance / click / conversion")
    named = [each for each in tried if "/" not in each.name]
    best = sorted((each for each in tried if "/" in each.name and each.best), key=lambda one: -one.worth.ndcg)
    shown = (
        [best[place] for place in np.unique(np.linspace(0, len(best) - 1, _MOST_SHOWN).astype(int))]
        if best
        else []
    )
    for each in (*named, *shown):
        name = f"[bold]{each.name}" if each.best and each in named else each.name
        drawn.add_row(name, *(f"{value:.4f}" for value in astuple(each.worth)))
    return drawn


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate.ranking",
        description="Measure the ranker's probabilities, its order beside the baselines and what it makes of "
        "biased clicks; weigh the objectives against each other, and diversity against both: all by the demo "
        "shop's hidden truth. Choose on validation; test tells what the choice is worth.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the generated demo shop")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument(
        "--split", choices=("validation", "test"), default="validation", help="whose requests"
    )
    parser.add_argument("--requests", type=int, default=600, help="most requests")
    parser.add_argument("--least", type=int, default=30, help="fewest requests of an intent for a table")
    parser.add_argument("--threads", type=int, default=2, help="threads of one inference")
    parser.add_argument("--cache", type=Path, default=Path("state/eval-cache"), help="folder of embeddings")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of TensorBoard logs")
    parser.add_argument(
        "--bias-requests", type=int, default=2000, help="requests to learn from for the position bias"
    )
    parser.add_argument("--without-bias", action="store_true", help="leave out the three trainings for it")
    parser.add_argument("--out", type=Path, default=Path("results/eval-ranking.json"), help="the figures")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())

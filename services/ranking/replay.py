"""Ranks logged requests again: python -m services.ranking.replay --log FILE --request ID --models models"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.ranking.explanation.words import LANGUAGES
from services.ranking.model import RankingModel
from services.ranking.replaying import Replayed, explain_again, replay
from services.ranking.request_log import read_requests

_TOLERANCE = 1e-3


def main(argv: Sequence[str] | None = None) -> int:
    """Print each request's hits; return 0 when all came out the same, 1 when not, 2 when none can be read."""
    options = _parse(argv)
    try:
        return _replay(options)
    except (StartupError, FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _replay(options: argparse.Namespace) -> int:
    store, settings = ModelStore(options.models), InferenceSettings(models=options.models)
    models: dict[str, RankingModel] = {}
    differing = count = 0
    for logged in read_requests(options.log, options.request):
        name, version = logged.response.models[0].name, logged.response.models[0].version
        if version not in models:
            models[version] = RankingModel.open(store, settings, version, name)
        replayed = replay(logged, models[version].predict)
        same = replayed.same_order and replayed.largest_difference <= _TOLERANCE
        count, differing = count + 1, differing + (not same)
        _print(replayed, same, options, models[version])
    if not count:
        named = f"no request {options.request!r}" if options.request else "no request"
        raise ValueError(f"{options.log} holds {named}; it keeps the latest ones only")
    print(f"{count} replayed, {differing} came out otherwise")
    return int(differing > 0)


def _print(replayed: Replayed, same: bool, options: argparse.Namespace, model: RankingModel) -> None:
    logged = replayed.logged
    verdict = "the same" if same else "OTHERWISE"
    print(
        f"{logged.request_id}  {logged.request.query!r}  {verdict}: largest difference of a score "
        f"{replayed.largest_difference:.2g}, model {model.version.version}"
    )
    if not options.request:
        return
    ids = logged.request.candidates.products.ids
    explanations = explain_again(replayed, options.hits, model.predict, options.language)
    rows = replayed.ordered.arranged.rows[: options.hits].tolist()
    for place, (row, explanation) in enumerate(zip(rows, explanations, strict=True), start=1):
        print(f"{place:4d}  {ids[row]}  {replayed.ordered.scores[row]:.4f}")
        print("".join(f"        {reason}\n" for reason in explanation.reasons), end="")


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.ranking.replay",
        description="Rank logged requests again and compare scores and order with what was answered.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--log", type=Path, required=True, help="what ranking was given as --request-log")
    parser.add_argument("--request", default="", help="only the request of this id, with its hits explained")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--hits", type=int, default=10, help="hits shown of one request")
    parser.add_argument("--language", choices=("", *LANGUAGES), default="", help="of reasons; the query's")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())

"""Which sets there are to evaluate, and which are missing and why."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from training.demo_shop.lexicon import LANGUAGES
from training.evaluate.bestbuy import NUMBERED, is_bestbuy, read_model_number_shop
from training.evaluate.demo import DESCRIBED, read_demo_shop, read_description_shop
from training.evaluate.esci import JUDGMENTS, is_esci, read_esci
from training.evaluate.multi_cpr import CORPUS, is_multi_cpr, read_multi_cpr
from training.evaluate.sets import EvaluationSet

Reader = Callable[[], EvaluationSet]
# What the project's own figures are about; their absence is told.
EXPECTED: Mapping[str, str] = {
    "esci_us": f"products.jsonl.gz and {JUDGMENTS}",
    "multi_cpr_ecom_zh": CORPUS,
    "demo_shop": "fingerprint.json; `make shop` makes it",
}


def find_sets(data: Path | None, shop: Path) -> dict[str, Reader]:
    """By name, how to read each set that `data`'s folders or the demo shop's hold."""
    found: dict[str, Reader] = {}
    for folder in sorted(data.iterdir()) if data and data.is_dir() else []:
        if folder.is_dir() and is_esci(folder):
            found[folder.name] = partial(read_esci, folder)
        elif folder.is_dir() and is_multi_cpr(folder):
            found[folder.name] = partial(read_multi_cpr, folder)
        elif folder.is_dir() and is_bestbuy(folder):
            found[NUMBERED] = partial(read_model_number_shop, folder)
    if (shop / "fingerprint.json").is_file():
        found["demo_shop"] = partial(read_demo_shop, shop)
        found |= {f"{DESCRIBED}_{each}": partial(read_description_shop, each) for each in LANGUAGES}
    return found


def missing(found: Mapping[str, Reader], wanted: Sequence[str], data: Path | None, shop: Path) -> list[str]:
    """A sentence for each set that was wanted, or is expected when none was named, and is not there."""
    names = wanted or list(EXPECTED)
    return [
        f"{name} is passed over: {shop if name == 'demo_shop' else data} holds no "
        f"{EXPECTED.get(name, f'folder of that name with products.jsonl.gz and {JUDGMENTS}')}"
        for name in names
        if name not in found
    ]

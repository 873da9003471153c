"""Real texts that the served model never saw, by what their writers wanted."""

import csv
import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.intent.labels import OUT_OF_SCOPE
from training.evaluate.intent.sets import at_most, find_sets
from training.intent.public import HELD_OUT_QUERIES, held_out, off_topic

# EcomInstruct's attributes that the demo shop has too.
_MEPAVE_KEYS = {"颜色": "color", "材质": "material", "适用季节": "season", "风格": "style"}
_BITEXT = {"place_order": "purchase", "review": "review"}  # the other intents are support


@dataclass(frozen=True)
class RealTexts:
    """Texts of one source and one intent."""

    name: str
    language: str
    intent: str
    texts: Sequence[str]


@dataclass(frozen=True)
class Spans:
    """A title with its attributes: (key, start, end) in characters."""

    text: str
    spans: Sequence[tuple[str, int, int]]


def real_texts(data: Path | None, most: int) -> list[RealTexts]:
    """Return the sources that `data` holds, at most `most` texts of each; none that training may see."""
    found = [
        RealTexts(name, language, intent, [text for text, _ in at_most([(t, "") for t in texts], most)])
        for name, (language, intent, read) in _SOURCES.items()
        if data and (texts := _read(read, data / name.split(".")[0]))
    ]
    return [each for each in found if each.texts]


def missing(found: Sequence[RealTexts], data: Path | None) -> list[str]:
    """A sentence for each source that is not there."""
    names = {each.name for each in found}
    return [
        f"{name}: {data or 'DATA'}/{name.split('.')[0]} is not there"
        for name in _SOURCES
        if name not in names
    ]


def mepave(data: Path | None) -> list[Spans]:
    """Return EcomInstruct's Chinese titles with the attributes that the demo shop has too."""
    path = data / "ecominstruct" / "ZH-MEPAVE-NER-attribute_value_extraction.jsonl" if data else None
    if path is None or not path.is_file():
        return []
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Spans(
            record["sentences"],
            [
                (_MEPAVE_KEYS[each["type"]], each["start"], each["end"])
                for each in record["spans"]
                if each["type"] in _MEPAVE_KEYS
            ],
        )
        for record in records
    ]


def _read(read: Callable[[Path], Iterator[str]], folder: Path) -> list[str]:
    try:
        return list(dict.fromkeys(read(folder)))
    except FileNotFoundError:
        return []  # told by `missing`


def _esci(folder: Path) -> Iterator[str]:
    with (folder / "qrels.tsv").open(encoding="utf-8") as file:
        queries = {row["query"] for row in csv.DictReader(file, delimiter="\t")}
    yield from (text for text in sorted(queries) if held_out(text, HELD_OUT_QUERIES))


def _taobao(folder: Path) -> Iterator[str]:
    with gzip.open(folder / "dev.query.txt.gz", "rt", encoding="utf-8") as file:
        yield from (line.rstrip("\n").split("\t")[1] for line in file)


def _banking(folder: Path) -> Iterator[str]:
    with (folder / "train.csv").open(encoding="utf-8", newline="") as file:
        yield from (text for row in csv.DictReader(file) if held_out(text := row["text"].strip()))


def _bitext(intent: str) -> Callable[[Path], Iterator[str]]:
    def read(folder: Path) -> Iterator[str]:
        (path,) = folder.glob("*.csv") if folder.is_dir() else [folder / "utterances.csv"]
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                if _BITEXT.get(row["intent"], "support") == intent:
                    yield row["utterance"].strip()

    return read


def _clinc(folder: Path) -> Iterator[str]:
    with gzip.open(folder / "data_full.json.gz", "rt", encoding="utf-8") as file:
        splits = json.load(file)
    known = off_topic(folder)
    yield from (text for text, intent in [*splits["val"], *splits["oos_val"]] if known(intent))


def _reviews_en(folder: Path) -> Iterator[str]:
    for name in ("amazon_cells_labelled.txt", "yelp_labelled.txt"):
        for line in (folder / name).read_text(encoding="utf-8").split("\n"):
            text = line.rpartition("\t")[0].strip()
            if text and held_out(text):
                yield text


def _reviews_zh(folder: Path) -> Iterator[str]:
    sets = find_sets(folder.parent)
    if folder.name in sets:
        yield from (text for text, _ in sets[folder.name]().judged)


# By "<folder>" or "<folder>.<part>": language, intent, reader.
_SOURCES: Mapping[str, tuple[str, str, Callable[[Path], Iterator[str]]]] = {
    "esci_us": ("en", "shopping", _esci),
    "banking77_en": ("en", "support", _banking),
    "bitext_customer_service_en.support": ("en", "support", _bitext("support")),
    "product_reviews_en": ("en", "review", _reviews_en),
    "clinc150_en": ("en", OUT_OF_SCOPE, _clinc),
    "multi_cpr_ecom_zh": ("zh", "shopping", _taobao),
    "online_shopping_10_cats_zh": ("zh", "review", _reviews_zh),
}

"""The queries the demo asks of a catalogue."""

import csv
from pathlib import Path

DEMO_SHOP = (
    "T恤 黑色 夏季",
    "black summer t-shirt",
    "200元以下的无线耳机 不要白色",
    "wireless headphones under 200 yuan, not white",
)
_FROM_JUDGMENTS = 4


def choose(catalog: Path, given: list[str]) -> list[str]:
    """Return the queries given, else those a judged catalogue comes with, else those of the demo shop."""
    judgments = catalog / "qrels.tsv"
    if given or not judgments.is_file():
        return given or list(DEMO_SHOP)
    with judgments.open(encoding="utf-8", newline="") as file:
        queries = list(dict.fromkeys(row["query"] for row in csv.DictReader(file, delimiter="\t")))
    return queries[:: max(1, len(queries) // _FROM_JUDGMENTS)][:_FROM_JUDGMENTS]

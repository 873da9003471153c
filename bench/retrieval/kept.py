"""Keeps a benchmark's catalogue as a state folder that a stack serves: its record and the index's snapshot.

    python -m bench.retrieval.kept --set demo100k --state state/bench-demo100k

What is there already is not made again, and what was stopped goes on. Exits 1 with a sentence when the model
or the demo shop is absent.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from aisle.catalog.v1.product_pb2 import Product
from bench.retrieval.ours import settled
from bench.retrieval.sets import SETS, Folders, SearchSet, make
from runtime.inference.session import InferenceSettings
from runtime.inference.store import ModelStore
from runtime.settings import StartupError
from services.retrieval.collaborative import CollaborativeModel
from services.retrieval.index_maker import IndexMaker
from services.retrieval.milvus_client import LiteEngine
from services.retrieval.milvus_record import MilvusRecord
from services.retrieval.record import CatalogRecord, Embeddings, StoredGeneration
from services.retrieval.snapshot.keeper import SnapshotKeeper
from services.retrieval.words.query_words import QueryWords
from services.retrieval.words.synonyms import SHIPPED

_RECORD = "catalog.db"
_WRITTEN_AT_ONCE = 1_024


def main(argv: Sequence[str] | None = None) -> int:
    """Make what is missing and return the process's exit status."""
    options = _parse(argv)
    try:
        _keep(options)
    except (StartupError, FileNotFoundError) as error:
        print(f"{error}; run `make models` first", file=sys.stderr)
        return 1
    return 0


@dataclass(frozen=True)
class Kept:
    """An open state folder: its record, the catalogue in it, and what makes and keeps the index."""

    record: CatalogRecord
    stored: StoredGeneration
    maker: IndexMaker
    keeper: SnapshotKeeper


@contextmanager
def opened(state: Path, models: Path) -> Iterator[Kept]:
    """Yield what lies in `state`, made when it is absent. Raises StartupError without a model."""
    state.mkdir(parents=True, exist_ok=True)
    store = ModelStore(models)
    manifest = store.open("retriever").manifest
    collaborative = CollaborativeModel.open(store, InferenceSettings(models=models))
    maker = IndexMaker(collaborative, QueryWords.read(SHIPPED, None))
    record = MilvusRecord.open(LiteEngine(state / _RECORD))
    try:
        stored = record.create(manifest.embedding_space, manifest.dimension)
        yield Kept(record, stored, maker, SnapshotKeeper(state))
    finally:
        record.close()


def _keep(options: argparse.Namespace) -> None:
    with opened(options.state, options.models) as kept:
        wanted = SETS[options.set][1]
        if kept.record.count(kept.stored) == wanted and _is_kept(kept):
            print(f"{options.state} holds {wanted:,} products and a snapshot of their index")
            return
        print(f"{options.set}: making the catalogue and its embeddings")
        searched = make(options.set, 1, Folders(options.models, options.shop, options.cache))
        _write(kept.record, kept.stored, searched)
        kept.record.activate(kept.stored)
        _take_snapshot(kept, searched)


def _is_kept(kept: Kept) -> bool:
    index = kept.keeper.restored(kept.record, kept.stored, kept.maker)
    kept.keeper.close()
    if index is not None:
        index.close()
    return index is not None


def _write(record: CatalogRecord, stored: StoredGeneration, searched: SearchSet) -> None:
    """Write to the record what it lacks: products are written in their order."""
    count = len(searched.products)
    with tqdm(total=count, desc="record", unit="product") as bar:
        for first in range(record.count(stored), count, _WRITTEN_AT_ONCE):
            bar.update(first - bar.n)
            part = slice(first, min(first + _WRITTEN_AT_ONCE, count))
            record.upsert(stored, searched.products[part], searched.embeddings[part])
        bar.update(count - bar.n)


def _take_snapshot(kept: Kept, searched: SearchSet) -> None:
    index = kept.maker.begin(kept.stored)
    try:
        with tqdm(total=len(searched.products), desc="index", unit="product") as bar:
            for products, embeddings in _parts(searched):
                index.upsert(products, embeddings)
                bar.update(len(products))
        settled(index.vectors)
        kept.keeper.take(kept.record, kept.stored, index)
        print(f"kept {len(index):,} products and a snapshot of their index")
    finally:
        kept.keeper.close()
        index.close()


def _parts(searched: SearchSet) -> "list[tuple[Sequence[Product], Embeddings]]":
    starts = range(0, len(searched.products), _WRITTEN_AT_ONCE)
    parts = [slice(start, start + _WRITTEN_AT_ONCE) for start in starts]
    return [(searched.products[part], searched.embeddings[part]) for part in parts]


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.retrieval.kept",
        description="Make the state folder of a catalogue that bench.retrieval measures, to serve it whole.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    demo = [name for name in SETS if name.startswith("demo")]
    parser.add_argument("--set", choices=demo, default="demo100k", help="which catalogue")
    parser.add_argument("--state", type=Path, required=True, help="folder of the record and the snapshot")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model store")
    parser.add_argument("--shop", type=Path, default=Path("data/demo_shop"), help="the generated demo shop")
    parser.add_argument(
        "--cache", type=Path, default=Path("state/bench-retrieval"), help="folder of embeddings"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())

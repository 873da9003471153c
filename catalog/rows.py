"""Rows of the files catalogues come in."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.mapping import CatalogError

csv.field_size_limit(16 * 1024 * 1024)


@dataclass(frozen=True)
class Row:
    """A row at its line in the file, from 1; `problem` says why `values` could not be read."""

    line: int
    values: dict[str, Any]
    problem: str = ""


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a .jsonl, .json (a list), .csv, .tsv or .parquet file, gzipped or not.

    Raises CatalogError when the file as a whole cannot be read.
    """
    kind = path.name.removesuffix(".gz").rsplit(".", 1)[-1].lower()
    readers = {
        "jsonl": _jsonl,
        "ndjson": _jsonl,
        "json": _json,
        "csv": _csv,
        "tsv": _csv,
        "parquet": _parquet,
    }
    if kind not in readers:
        raise CatalogError(f"{path} is none of {', '.join(f'.{each}' for each in readers)} (or one with .gz)")
    try:
        yield from readers[kind](path)
    except (OSError, EOFError, zlib.error, pa.ArrowInvalid, csv.Error) as error:
        raise CatalogError(f"{path} cannot be read: {error}") from error


def is_table(path: Path) -> bool:
    """Whether every row of the file has the same columns."""
    return path.name.removesuffix(".gz").lower().endswith((".csv", ".tsv", ".parquet"))


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _jsonl(path: Path) -> Iterator[Row]:
    with _open(path) as file:
        for line, raw in enumerate(file, start=1):
            if raw.strip():
                yield _json_row(line, raw)


def _json_row(line: int, raw: bytes) -> Row:
    try:
        return _object(line, json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8")))
    except UnicodeDecodeError:
        return Row(line, {}, "is not UTF-8")
    except (ValueError, RecursionError) as error:
        return Row(line, {}, f"is not JSON: {error}")


def _json(path: Path) -> Iterator[Row]:
    with _open(path) as file:
        try:
            records = json.loads(file.read().decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise CatalogError(f"{path} is not JSON: {error}") from error
    if not isinstance(records, list):
        raise CatalogError(f"{path} must hold a list of products")
    yield from (_object(line, record) for line, record in enumerate(records, start=1))


def _object(line: int, record: object) -> Row:
    return Row(line, record) if isinstance(record, dict) else Row(line, {}, "is no JSON object")


def _csv(path: Path) -> Iterator[Row]:
    opener = gzip.open if path.suffix == ".gz" else open
    # Bytes that are not UTF-8 come through as lone surrogates, so that their row can be named.
    with opener(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        delimiter = "\t" if ".tsv" in path.name else ","
        reader = csv.DictReader(file, delimiter=delimiter)
        for record in reader:
            yield _csv_row(reader.line_num, record)


def _csv_row(line: int, record: dict[Any, Any]) -> Row:
    if None in record:
        return Row(line, {}, f"has more cells than the header ({len(record[None])} too many)")
    if any("\udc80" <= character <= "\udcff" for value in record.values() for character in value or ""):
        return Row(line, {}, "is not UTF-8")
    return Row(line, record)


def _parquet(path: Path) -> Iterator[Row]:
    line = 0
    for batch in pq.ParquetFile(path).iter_batches(batch_size=1024):
        for record in batch.to_pylist():
            line += 1
            yield Row(line, record)

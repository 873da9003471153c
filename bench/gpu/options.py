"""What can be asked of `python -m bench gpu`."""

from argparse import ArgumentParser
from pathlib import Path

from bench import values

_PROVIDERS, _MODELS = ("cuda", "tensorrt", "cpu"), ("intent", "retriever")


def add(parser: ArgumentParser) -> None:
    """Add the options."""
    add_one = parser.add_argument
    add_one(
        "--providers",
        type=values.names(_PROVIDERS),
        default="cuda,tensorrt",
        help="of cuda, tensorrt and cpu, with commas; those that cannot be used are named",
    )
    add_one("--of", type=values.names(_MODELS), default=",".join(_MODELS), help="the models measured")
    add_one("--batches", type=values.integers(1, 1024), default="1,8,32,128", help="texts of a batch")
    add_one("--seconds", type=values.seconds, default=3.0, help="seconds of each row")
    add_one("--queries", type=Path, help="the texts: as for the other commands; the built-in ones if absent")
    add_one("--models", type=Path, default=Path("models"), help="the model store")
    add_one("--out", type=Path, default=Path("results/bench-gpu.json"), help="the figures")

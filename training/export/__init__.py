"""From a torch module to the graphs that serve it, and how far those are from the module."""

from pathlib import Path

from training.export.parity import Corpus, Parity
from training.export.precisions import FINER, Exported, export_onnx, export_within_parity

SOURCES = sorted(Path(__file__).parent.glob("*.py"))  # a graph depends on how it was exported, too

__all__ = ["FINER", "SOURCES", "Corpus", "Exported", "Parity", "export_onnx", "export_within_parity"]

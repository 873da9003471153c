"""From a torch module to the graphs that serve it, and how far those are from the module."""

from training.export.parity import Corpus, Parity
from training.export.precisions import FINER, Exported, export_onnx, export_within_parity

__all__ = ["FINER", "Corpus", "Exported", "Parity", "export_onnx", "export_within_parity"]

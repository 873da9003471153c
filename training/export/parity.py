"""How far an exported graph is from the module it was made of."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import nn

from runtime.inference.manifest import Precision
from training.export.quantisation import Feed
from training.export.tracing import by_name

Corpus = NDArray[np.float32]  # [n, dim], L2-normalised rows: the module's embeddings of many passages


class Parity:
    """What a module answers to `probes`, run one by one on the CPU; graphs are compared with that.

    Given `corpus`, an embedding stands for the passages it is nearest to by inner product. An output that
    means something for some texts only is compared on its `own_probes`, by the output's name.
    """

    def __init__(
        self,
        module: nn.Module,
        outputs: Sequence[str],
        probes: Sequence[Feed],
        *,
        corpus: Corpus | None = None,
        own_probes: Mapping[str, Sequence[Feed]] | None = None,
    ) -> None:
        self._corpus, own = corpus, own_probes or {}
        shared = [output for output in outputs if output not in own]
        groups = [(shared, probes), *(([output], feeds) for output, feeds in own.items())]
        self._groups = [
            _Group(compared, feeds, [_expect(module, feed, outputs) for feed in feeds])
            for compared, feeds in groups
            if compared
        ]

    def measure(self, graphs: Mapping[Precision, Path]) -> dict[Precision, dict[str, float]]:
        """Return the figures of each graph; the worst output counts.

        `cosine_mean`, `cosine_min`: over the rows of an output (one text; or one list, when it is [n]).
        `max_difference`: largest absolute one. `top1_agreement`: share of rows with the same largest value:
        of the labels, of each token's labels, of the list's members, or, with a corpus, of the passages.
        """
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:  # each graph on a thread of its own
            return dict(zip(graphs, pool.map(self._measure, graphs.values()), strict=True))

    def _measure(self, path: Path) -> dict[str, float]:
        session = open_session(path)
        by_output = [figures for group in self._groups for figures in group.compare(session, self._corpus)]
        return _worst(by_output)


@dataclass(frozen=True)
class _Group:
    """Outputs that are compared on the same probes, and what the module answers there."""

    compared: Sequence[str]
    probes: Sequence[Feed]
    expected: Sequence[Mapping[str, NDArray[Any]]]

    def compare(self, session: ort.InferenceSession, corpus: Corpus | None) -> list[dict[str, float]]:
        """Return the figures of each output."""
        found = [_run(session, self.compared, probe) for probe in self.probes]
        return [
            _figures([e[name] for e in self.expected], [f[name] for f in found], self.probes, corpus)
            for name in self.compared
        ]


def _worst(by_output: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {
        figure: (max if figure == "max_difference" else min)(figures[figure] for figures in by_output)
        for figure in by_output[0]
    }


def _figures(
    expected: Sequence[NDArray[Any]],
    found: Sequence[NDArray[Any]],
    probes: Sequence[Feed],
    corpus: Corpus | None,
) -> dict[str, float]:
    pairs = [
        (left, right)
        for wanted, got, probe in zip(expected, found, probes, strict=True)
        for left, right in zip(_rows(wanted, probe), _rows(got, probe), strict=True)
    ]
    cosines = [_cosine(left, right) for left, right in pairs]
    agreement = np.concatenate([_top1(left, corpus) == _top1(right, corpus) for left, right in pairs])
    return {
        "cosine_mean": float(np.mean(cosines)),
        "cosine_min": float(np.min(cosines)),
        "max_difference": float(max(np.abs(left - right).max() for left, right in pairs)),
        "top1_agreement": float(agreement.mean()),
    }


def _rows(values: NDArray[Any], probe: Feed) -> list[NDArray[Any]]:
    """Return what is compared as one: a list [n], a text's vector, or its tokens' vectors without padding."""
    if values.ndim == 1:
        return [values]
    if values.ndim == 2:
        return list(values)
    return [row[mask.astype(bool)] for row, mask in zip(values, probe["attention_mask"], strict=True)]


def _cosine(left: NDArray[Any], right: NDArray[Any]) -> float:
    return float((left * right).sum() / (np.linalg.norm(left) * np.linalg.norm(right)))


def _top1(row: NDArray[Any], corpus: Corpus | None) -> NDArray[np.int64]:
    scores = corpus @ row if corpus is not None and row.ndim == 1 and len(row) == corpus.shape[1] else row
    return np.atleast_1d(scores.argmax(axis=-1))


def _expect(module: nn.Module, probe: Feed, outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
    module.eval()
    with torch.no_grad():
        result = module(**{name: torch.from_numpy(values) for name, values in probe.items()})
    return {name: values.numpy() for name, values in by_name(result, outputs).items()}


def open_session(path: Path) -> ort.InferenceSession:
    """Open a graph on one thread of the CPU."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # probes are short: threads would wait for one another
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _run(session: ort.InferenceSession, outputs: Sequence[str], probe: Feed) -> dict[str, NDArray[Any]]:
    return dict(zip(outputs, session.run(list(outputs), dict(probe)), strict=True))

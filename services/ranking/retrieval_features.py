"""What retrieval thinks of the candidates."""

import numpy as np

from aisle.retrieval.v1.retrieval_pb2 import Candidates, ChannelColumn
from services.ranking.columns import Floats
from services.ranking.scaling import LIMIT, competition_ranks, standardise

CHANNELS = ("dense", "lexical", "popular")
RETRIEVAL_FEATURES = (
    "fused_z",  # fused score, standardised over the candidates
    "fused_below_best",  # standard deviations below the best candidate, 0 to 10
    "fused_reciprocal_rank",
    *(
        f"{channel}_{name}"
        for channel in CHANNELS
        for name in ("found", "z", "reciprocal_rank")  # score standardised over what the channel found
    ),
)


def retrieval_features(candidates: Candidates) -> dict[str, Floats]:
    """Return the features by name, each float64 [n]; a channel that did not run is found nowhere."""
    fused = np.array(candidates.fused_scores, dtype=np.float64)
    z = standardise(fused, np.ones(len(fused), dtype=np.bool_))
    features = {
        "fused_z": z,
        "fused_below_best": np.minimum(z.max() - z, 2 * LIMIT),
        "fused_reciprocal_rank": 1.0 / competition_ranks(fused),
    }
    columns = {column.channel: column for column in candidates.channels}
    for channel in CHANNELS:
        features |= _channel(channel, columns.get(channel), len(fused))
    return features


def _channel(name: str, column: ChannelColumn | None, n: int) -> dict[str, Floats]:
    if column is None:
        scores, ranks = np.zeros(n), np.zeros(n)
    else:
        scores = np.array(column.scores, dtype=np.float64)
        ranks = np.array(column.ranks, dtype=np.float64)
    found = ranks > 0
    return {
        f"{name}_found": found.astype(np.float64),
        f"{name}_z": standardise(scores, found),
        f"{name}_reciprocal_rank": np.divide(1.0, ranks, out=np.zeros(n), where=found),
    }

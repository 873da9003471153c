"""BentoML: a service with adaptive batching, JSON over HTTP."""

import bentoml

from bench.peers.servers.encoder import MAX_BATCH, Encoder


@bentoml.service(name="intents", workers=1, traffic={"timeout": 30})
class Intents:
    """Runs the model on a batch of queries."""

    def __init__(self) -> None:
        self._encoder = Encoder.of_environment()

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH)
    def intents(self, queries: list[str]) -> list[list[float]]:
        """Return the intents' probabilities of each query."""
        rows: list[list[float]] = self._encoder(queries).tolist()
        return rows

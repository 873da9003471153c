"""mosec: one worker process with dynamic batching, JSON over HTTP.

The wait for a batch is the shortest that it takes, 1 ms: our own service waits for none.
"""

from typing import Any

from mosec import Server, Worker

from bench.peers.servers.encoder import MAX_BATCH, Encoder


class Intents(Worker):
    """Runs the model on a batch of queries."""

    def __init__(self) -> None:
        super().__init__()
        self._encoder = Encoder.of_environment()

    def forward(self, data: list[dict[str, str]]) -> list[dict[str, Any]]:
        """Return the intents' probabilities of each query."""
        return [{"intents": row.tolist()} for row in self._encoder([each["query"] for each in data])]


if __name__ == "__main__":
    server = Server()
    server.append_worker(Intents, num=1, max_batch_size=MAX_BATCH, max_wait_time=1)
    server.run()

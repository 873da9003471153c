"""MLServer: a custom runtime with adaptive batching, asked by the Open Inference Protocol over gRPC."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from bench.peers.servers.encoder import Encoder


class Intents(MLModel):
    """Runs the model on the queries of a request, which MLServer has put together from several."""

    async def load(self) -> bool:
        """Load the graph."""
        self._encoder = Encoder.of_environment()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the intents' probabilities of each query, one row each."""
        rows = self._encoder(StringCodec.decode_input(payload.inputs[0]))
        output = NumpyCodec.encode_output("intents", rows)
        return InferenceResponse(model_name=self.name, outputs=[output])

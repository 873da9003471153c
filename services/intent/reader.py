"""The way of a query: what is known by its words alone, what was read before, and the model for the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aisle.catalog.v1.embedding_pb2 import QueryEmbedding
from aisle.intent.v1 import intent_pb2 as messages
from aisle.intent.v1.intent_pb2 import Understanding
from runtime.memory import OF_QUERIES_SECONDS, Memory
from runtime.observability.metrics import SHORTCUTS
from runtime.observability.stages import StageClock
from services.intent.context import carry_over, find_context
from services.intent.decoding import Decoder
from services.intent.glance import at_a_glance
from services.intent.lexicon import Lexicon
from services.intent.model import IntentModel

REPEATED = messages.SHORTCUT_REPEATED


@dataclass(frozen=True)
class Reading:
    """What a query means, and what made the model's pass unnecessary, if anything did.

    `embedding` is of the text that the model read, where it was asked for and the model makes one.
    """

    understanding: Understanding
    shortcut: "messages.Shortcut.ValueType" = messages.SHORTCUT_UNSPECIFIED
    embedding: QueryEmbedding | None = None

    @property
    def by_model(self) -> bool:
        """Whether a model made it, now or a moment ago."""
        return self.shortcut in (messages.SHORTCUT_UNSPECIFIED, REPEATED)


class Reader:
    """Reads queries with one version of one model.

    Remembered readings are found by the query exactly as typed: the model tells cases and widths apart, and
    what one shopper gets must not depend on how another spelt it. They are of the words alone, so that a
    session's context is applied to them anew. Those with an embedding are remembered apart from others.
    """

    def __init__(self, model: IntentModel, remembered: int) -> None:
        self._model = model
        self._decoder = Decoder(model.labels)
        self._lexicon = Lexicon(model.labels.lexicon)
        self._memory: Memory[Reading] = Memory(remembered, OF_QUERIES_SECONDS)

    async def read(
        self, query: str, recent: Sequence[str], clock: StageClock, *, embed: bool = False
    ) -> Reading:
        """Return the reading of a query; `recent` are the session's queries before it, newest first.

        Raises as `IntentModel.read` does.
        """
        with clock.stage("intent/rules"):
            context = find_context(query, recent, self._lexicon)
        if context is None:
            reading = await self._alone(query, clock, embed)
        else:
            base = await self._alone(context.query, clock, embed)
            reading = replace(base, understanding=carry_over(query, context, base.understanding))
        if reading.shortcut:
            SHORTCUTS.labels(_name(reading.shortcut)).inc()
        return reading

    async def _alone(self, query: str, clock: StageClock, embed: bool) -> Reading:
        short = at_a_glance(query, self._lexicon)
        if short is not None:
            return Reading(*short)

        async def read() -> Reading:
            with clock.stage("intent/spelling"):
                spelled = self._decoder.spelled(query)
            with clock.stage("intent/model"):
                result = await self._model.read(spelled.text, embed=embed)
            with clock.stage("intent/decode"):
                understood = self._decoder.understand(spelled.text, result.outputs, result.offsets)
                understanding = spelled.placed(understood)
            made = self._model.embedding(spelled.text, result) if embed else None
            return Reading(understanding, embedding=made)

        reading, repeated = await self._memory.get((query, embed), read)
        return replace(reading, shortcut=REPEATED) if repeated else reading


def _name(shortcut: "messages.Shortcut.ValueType") -> str:
    return messages.Shortcut.Name(shortcut).removeprefix("SHORTCUT_").lower()

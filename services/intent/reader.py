"""The way of a query: what is known by its words alone, what was read before, and the model for the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    """What a query means, and what made the model's pass unnecessary, if anything did."""

    understanding: Understanding
    shortcut: "messages.Shortcut.ValueType" = messages.SHORTCUT_UNSPECIFIED

    @property
    def by_model(self) -> bool:
        """Whether a model made it, now or a moment ago."""
        return self.shortcut in (messages.SHORTCUT_UNSPECIFIED, REPEATED)


class Reader:
    """Reads queries with one version of one model.

    Remembered readings are found by the query exactly as typed: the model tells cases and widths apart, and
    what one shopper gets must not depend on how another spelt it. They are of the words alone, so that a
    session's context is applied to them anew.
    """

    def __init__(self, model: IntentModel, remembered: int) -> None:
        self._model = model
        self._decoder = Decoder(model.labels)
        self._lexicon = Lexicon(model.labels.lexicon)
        self._memory: Memory[Understanding] = Memory(remembered, OF_QUERIES_SECONDS)

    async def read(self, query: str, recent: Sequence[str], clock: StageClock) -> Reading:
        """Return the reading of a query; `recent` are the session's queries before it, newest first.

        Raises as `IntentModel.read` does.
        """
        with clock.stage("intent/rules"):
            context = find_context(query, recent, self._lexicon)
        if context is None:
            reading = await self._alone(query, clock)
        else:
            base = await self._alone(context.query, clock)
            reading = Reading(carry_over(query, context, base.understanding), base.shortcut)
        if reading.shortcut:
            SHORTCUTS.labels(_name(reading.shortcut)).inc()
        return reading

    async def _alone(self, query: str, clock: StageClock) -> Reading:
        short = at_a_glance(query, self._lexicon)
        if short is not None:
            return Reading(*short)

        async def read() -> Understanding:
            with clock.stage("intent/spelling"):
                spelled = self._decoder.spelled(query)
            with clock.stage("intent/model"):
                result = await self._model.read(spelled.text)
            with clock.stage("intent/decode"):
                understood = self._decoder.understand(spelled.text, result.outputs, result.offsets)
                return spelled.placed(understood)

        understanding, repeated = await self._memory.get(query, read)
        return Reading(understanding, REPEATED) if repeated else Reading(understanding)


def _name(shortcut: "messages.Shortcut.ValueType") -> str:
    return messages.Shortcut.Name(shortcut).removeprefix("SHORTCUT_").lower()

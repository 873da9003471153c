"""The user's history, read within a small budget; without it the user is anonymous."""

import asyncio

from aisle.catalog.v1.serving_pb2 import Stage
from aisle.catalog.v1.user_pb2 import HistoryItem
from gateway.degradation import StageFailure
from gateway.notes import Notes
from runtime.state.events import ProfileStore


async def read_history(
    profiles: ProfileStore, user_id: str, seconds: float, notes: Notes
) -> list[HistoryItem]:
    """Return the user's latest products, newest first; none for anonymous and unknown users."""
    if not user_id:
        return []
    try:
        with notes.clock.stage("profile"):
            async with asyncio.timeout(seconds):
                return await profiles.history(user_id)
    except StageFailure as error:
        notes.missing(Stage.STAGE_PROFILE, error)
        return []

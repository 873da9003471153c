"""The life of generations in a running service: built beside the served one, activated, dropped."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial
from typing import TypeVar

from aisle.retrieval.v1.generations_pb2 import Generation as Told
from aisle.retrieval.v1.generations_pb2 import GenerationState as State
from runtime.inference.manifest import Manifest
from runtime.observability.logs import get_logger
from runtime.observability.metrics import BUILD_PROGRESS
from runtime.serving.errors import FailedPrecondition, NotFound, Unavailable
from runtime.settings import StartupError
from services.retrieval.catalog import Catalog
from services.retrieval.following import Follower
from services.retrieval.generation import Generation
from services.retrieval.record import CatalogRecord, RecordError, StoredGeneration
from services.retrieval.retrievers import Retrievers
from services.retrieval.searching import Indexes

logger = get_logger(__name__)

T = TypeVar("T")

_MOST_AT_ONCE = 64  # products embedded while writes wait, in the moment of activation


class Lifecycle:
    """Builds, activates and drops generations, one operation at a time.

    At most one is kept beside the served one. `others` are those that the record holds; `resume` takes up
    the one that can be followed. Errors of the record become Unavailable.
    """

    def __init__(
        self,
        catalog: Catalog,
        retrievers: Retrievers,
        others: Sequence[StoredGeneration],
        maker: Indexes,
    ) -> None:
        self._catalog = catalog
        self._maker = maker
        self._retrievers = retrievers
        self._stale = list(others)
        self._following: asyncio.Task[None] | None = None
        self._resuming: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    @property
    def current_model_version(self) -> str:
        """The version that the model store names current."""
        return self._retrievers.current_version()

    def generations(self) -> list[Told]:
        """Return all generations, the served one first."""
        told = [self._tell(self._catalog.serving, State.GENERATION_STATE_ACTIVE)]
        follower = self._catalog.follower
        if follower is not None:
            standby = self._tell(follower.generation, _state_of(follower))
            standby.behind, standby.error = follower.behind, follower.error
            told.append(standby)
        for stored in self._stale:
            state = State.GENERATION_STATE_STALE
            told.append(Told(embedding_space=stored.embedding_space, dimension=stored.dimension, state=state))
        return told

    def resume(self) -> None:
        """Take up the generation beside the served one, if its model is in the store; in the background."""
        self._resuming = asyncio.get_running_loop().create_task(self._resume(), context=Context())

    async def build(self, version: str) -> Told:
        """Begin, or go on with, the generation of a model's version; the current one's when empty.

        Raises NotFound for an unknown version and FailedPrecondition when it is served or damaged, or another
        is being built.
        """
        return await asyncio.shield(self._build(version))

    async def activate(self, name: str) -> Told:
        """Serve the generation beside the served one, which takes its place.

        Raises NotFound, or FailedPrecondition when it is not ready.
        """
        return await asyncio.shield(self._activate(name))

    async def drop(self, name: str) -> None:
        """Delete a generation; raises NotFound, or FailedPrecondition for the served one."""
        await asyncio.shield(self._drop_named(name))

    async def close(self) -> None:
        """Stop following; what was stored stays."""
        for task in (self._resuming, self._following):
            await _cancel(task)
        if self._catalog.follower is not None:
            await self._catalog.follower.generation.encoder.close()
            await asyncio.to_thread(self._catalog.follower.generation.index.close)
        await self._catalog.serving.encoder.close()

    async def _build(self, version: str) -> Told:
        async with self._changing:
            try:
                manifest = self._retrievers.version(version or self._retrievers.current_version())
                if manifest.embedding_space == self._catalog.serving.stored.embedding_space:
                    raise FailedPrecondition(f"version {manifest.version} is being served")
                if not self._is_under_way(manifest):
                    await self._make_room(manifest)
                    await self._begin(manifest)
            except StartupError as error:  # the model's files are damaged
                raise FailedPrecondition(str(error)) from error
            return self.generations()[1]

    async def _activate(self, name: str) -> Told:
        async with self._changing:
            follower = self._named(name)
            if not follower.ready:
                raise FailedPrecondition(
                    f"generation {name!r} is not ready: it holds {len(follower.generation.index)} of "
                    f"{len(self._catalog.index)} products{follower.error and f' ({follower.error})'}"
                )
            if follower.behind > _MOST_AT_ONCE:
                raise FailedPrecondition(
                    f"generation {name!r} is {follower.behind} changes behind; try again when fewer products "
                    "are being written"
                )
            await self._switch(follower)
            return self.generations()[0]

    async def _drop_named(self, name: str) -> None:
        async with self._changing:
            served = self._tell(self._catalog.serving, State.GENERATION_STATE_ACTIVE)
            if name in (served.model_version, served.embedding_space):
                raise FailedPrecondition(f"generation {name!r} is being served; activate another one first")
            for stored in self._stale:
                if stored.embedding_space == name:
                    return await self._forget(stored)
            self._named(name)
            return await self._drop_follower()

    def _is_under_way(self, manifest: Manifest) -> bool:
        follower = self._catalog.follower
        if follower is None or follower.error:
            return False
        if follower.generation.stored.embedding_space == manifest.embedding_space:
            return True
        if not follower.ready:
            raise FailedPrecondition(
                f"generation {follower.generation.stored.embedding_space!r} is being built; drop it first"
            )
        return False

    async def _make_room(self, manifest: Manifest) -> None:
        """Drop what is kept beside the served one, but not what an earlier build of this model stored."""
        follower = self._catalog.follower
        if follower is not None:
            same = follower.generation.stored.embedding_space == manifest.embedding_space
            await (self._leave_follower() if same else self._drop_follower())
        for stored in list(self._stale):
            if stored.embedding_space != manifest.embedding_space:
                await self._forget(stored)

    async def _begin(self, manifest: Manifest) -> None:
        encoder = await asyncio.to_thread(self._retrievers.open, manifest.version)
        create = partial(_create, manifest.embedding_space, manifest.dimension)
        stored = await self._write(create)
        self._stale = [each for each in self._stale if each != stored]
        index = await self._write(lambda _: self._maker.begin(stored))
        self._follow(Follower(self._catalog, Generation(stored, encoder, index)))

    async def _resume(self) -> None:
        async with self._changing:
            try:
                for stored in self._stale:
                    manifest = self._retrievers.of_space(stored.embedding_space, stored.dimension)
                    if manifest is not None:
                        logger.info("generation_resumed", embedding_space=stored.embedding_space)
                        return await self._begin(manifest)
            except Exception:  # searches go on without it; it stays listed, and a build takes it up again
                logger.exception("generation_not_resumed")

    def _follow(self, follower: Follower) -> None:
        self._catalog.follower = follower
        # A context of its own: the deadline of the request that asked for it is not the build's.
        self._following = asyncio.get_running_loop().create_task(follower.run(), context=Context())

    async def _switch(self, follower: Follower) -> None:
        """Activate in the record and in memory on the writing thread, between two writes."""
        await _cancel(self._following)
        old = Follower(self._catalog, self._catalog.serving, caught_up=True)
        try:
            await self._write(partial(self._flip, follower, old))
        except BaseException:
            self._follow(follower)
            raise
        self._follow(old)
        logger.info("generation_activated", embedding_space=follower.generation.stored.embedding_space)

    def _flip(self, follower: Follower, old: Follower, record: CatalogRecord) -> None:
        follower.finish(record)
        record.activate(follower.generation.stored)
        self._catalog.serve(follower.generation, old)

    async def _drop_follower(self) -> None:
        follower = self._catalog.follower
        if follower is not None:
            await self._leave_follower()
            await self._write(partial(_drop, follower.generation.stored))
            logger.info("generation_dropped", embedding_space=follower.generation.stored.embedding_space)

    async def _leave_follower(self) -> None:
        await _cancel(self._following)
        follower, self._catalog.follower = self._catalog.follower, None
        BUILD_PROGRESS.set(0)
        if follower is not None:
            await follower.generation.encoder.close()
            await asyncio.to_thread(follower.generation.index.close)

    async def _forget(self, stored: StoredGeneration) -> None:
        await self._write(partial(_drop, stored))
        self._stale.remove(stored)
        logger.info("generation_dropped", embedding_space=stored.embedding_space)

    async def _write(self, change: Callable[[CatalogRecord], T]) -> T:
        try:
            return await self._catalog.write(change)
        except RecordError as error:
            raise Unavailable(f"the catalogue's record cannot be changed ({error}); try again") from error

    def _named(self, name: str) -> Follower:
        follower = self._catalog.follower
        if follower is not None:
            told = self._tell(follower.generation, State.GENERATION_STATE_READY)
            if name in (told.model_version, told.embedding_space):
                return follower
        raise NotFound(f"there is no generation {name!r} beside the served one; build it first")

    def _tell(self, generation: Generation, state: "State.ValueType") -> Told:
        return Told(
            model_version=generation.encoder.version.version,
            embedding_space=generation.stored.embedding_space,
            dimension=generation.stored.dimension,
            state=state,
            products=len(generation.index),
        )


def _state_of(follower: Follower) -> "State.ValueType":
    if follower.error:
        return State.GENERATION_STATE_FAILED
    return State.GENERATION_STATE_READY if follower.ready else State.GENERATION_STATE_BUILDING


def _create(space: str, dimension: int, record: CatalogRecord) -> StoredGeneration:
    return record.create(space, dimension)


def _drop(stored: StoredGeneration, record: CatalogRecord) -> None:
    record.drop(stored)


async def _cancel(task: "asyncio.Task[None] | None") -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])

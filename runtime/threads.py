"""Threads that work for whoever waits on an event loop."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Threads(ThreadPoolExecutor):
    """A thread pool whose work always ends for those who await it: with a result or an exception.

    `asyncio` cannot carry StopIteration from a thread to who awaits it and leaves the waiter waiting; it is
    raised as the RuntimeError that a generator would make of it (PEP 479), with the original as its cause.
    """

    def submit(
        self, fn: Callable[Given, Result], /, *args: Given.args, **kwargs: Given.kwargs
    ) -> Future[Result]:
        """Run `fn` on a thread, as every way to give a pool work does."""
        return super().submit(partial(_carried, partial(fn, *args, **kwargs)))


def _carried(work: Callable[[], Result]) -> Result:
    try:
        return work()
    except StopIteration as error:
        raise RuntimeError("the work on a thread raised StopIteration") from error

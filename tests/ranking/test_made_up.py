"""Ranking made-up candidates leaves nothing to be done for the first time by a request."""

import subprocess
import sys

import numpy as np

from services.ranking.features import FEATURES
from services.ranking.made_up import made_up_inputs

_FIRST_REQUEST = """
import sys, time
from services.ranking.features import compute
from services.ranking.made_up import made_up_inputs
from tests.ranking.builders import rich_request
request = rich_request(20)
if sys.argv[1] == "warmed":
    made_up_inputs(3)
before = set(sys.modules)
compute(request.candidates, request.understanding, request.user, request.history,
        surface=request.surface, now_seconds=time.time(), reviews=request.reviews)
print(*sorted(set(sys.modules) - before))
"""


def test_first_request_imports_nothing_once_warmed_up() -> None:
    assert "numpy.ma" in _imported("cold")
    assert _imported("warmed") == []


def test_inputs_are_finite_for_every_size() -> None:
    for rows in (1, 200):
        inputs = made_up_inputs(rows)
        assert inputs.features.shape == (rows, len(FEATURES)) and np.isfinite(inputs.features).all()
        assert inputs.pairs.any()


def _imported(start: str) -> list[str]:
    """The modules that a first request imports in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_REQUEST, start], capture_output=True, text=True, check=True
    )
    return done.stdout.split()

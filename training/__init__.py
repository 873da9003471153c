"""From data to published ONNX models; the only place that imports torch."""

import os

# Read when torch loads its thread library. A thread that spins while it waits takes the core of the one it
# waits for as soon as anything else runs: on two cores beside one busy process a step took 1.4 s, not .15 s.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

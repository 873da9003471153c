"""How long a stage has taken lately, to know beforehand whether the time left is enough for it."""

_SMOOTHING = 0.1
# What was passed over tells nothing: the pace is forgotten slowly, until the stage is tried again.
_FORGOTTEN = 0.02


class Pace:
    """The usual seconds of a stage, 0 until it was seen: exponentially smoothed over its latest runs."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def allows(self, seconds: float) -> bool:
        """Return whether a run usually ends within `seconds`; where not, it counts as passed over."""
        if seconds >= self.seconds:
            return True
        self.seconds *= 1 - _FORGOTTEN
        return False

    def took(self, seconds: float) -> None:
        """Note a run that ended after `seconds`."""
        self.seconds += (_SMOOTHING if self.seconds else 1.0) * (seconds - self.seconds)

    def outlasted(self, seconds: float) -> None:
        """Note a run that had not ended after `seconds`: it takes longer than that."""
        self.seconds = max(self.seconds, seconds)

"""What is wrong with a filter, and where."""


class FilterError(ValueError):
    """A filter cannot be read; `position` is the offset of the first wrong character, from 0."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(f"at character {position}: {reason}")
        self.position = position

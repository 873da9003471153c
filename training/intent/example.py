"""A query as training sees it: pieces of text, some of which name a value."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

# Pieces that are no slots but have a name, so that they can be moved or exchanged.
NOUN = "noun"  # the kind of product
PRICE = "price"  # price bounds
_UNTAGGED = ("", NOUN, PRICE)


@dataclass(frozen=True)
class Piece:
    """A stretch of text: `key` is a slot's key, NOUN, PRICE or empty; `value` its canonical name."""

    text: str
    key: str = ""
    value: str = ""


@dataclass(frozen=True)
class Span:
    """A slot's place in a text, in characters."""

    key: str
    start: int
    end: int


@dataclass(frozen=True)
class Example:
    """A query or a review with its labels.

    `category` is empty where the text is about none that the shop knows, `intent` and `sentiment` where
    nobody told them.
    """

    pieces: tuple[Piece, ...]
    intent: str
    category: str
    sentiment: str = ""

    @property
    def text(self) -> str:
        """The query."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The slots, left to right."""
        spans, place = [], 0
        for piece in self.pieces:
            end = place + len(piece.text)
            if piece.key not in _UNTAGGED:
                spans.append(Span(piece.key, place, end))
            place = end
        return tuple(spans)

    @property
    def is_keywords(self) -> bool:
        """Whether it is a list of values and nouns, no sentence."""
        return all(piece.key or piece.text.isspace() for piece in self.pieces)

    def with_pieces(self, pieces: Iterable[Piece]) -> "Example":
        """The same labels on other text."""
        return replace(self, pieces=tuple(pieces))


def plain(text: str, intent: str, sentiment: str = "", *, category: str = "") -> Example:
    """A text without slots."""
    return Example((Piece(text),), intent, category, sentiment)


def cut(text: str, marked: Iterable[tuple[int, int, str, str]]) -> tuple[Piece, ...]:
    """Cut `text` at the marks (start, end, key, value), which do not overlap, into pieces."""
    pieces, place = [], 0
    for start, end, key, value in sorted(marked):
        if start > place:
            pieces.append(Piece(text[place:start]))
        pieces.append(Piece(text[start:end], key, value))
        place = end
    if place < len(text):
        pieces.append(Piece(text[place:]))
    return tuple(pieces)

"""From a filter's text to its tree.

The grammar is that of AIP-160 (https://google.aip.dev/160), in which OR binds tighter than AND:
`a AND b OR c` is `a AND (b OR c)`.

    expression  = sequence {"AND" sequence}
    sequence    = factor {factor}                        two conditions beside each other are both meant
    factor      = term {"OR" term}
    term        = ["NOT" | "-"] simple
    simple      = restriction | "(" expression ")"
    restriction = path comparator (value | "(" expression of values ")") | path "IN" "(" value {"," value} ")"
    path        = word {"." (word | string)}

`IN` is the one addition: `brand IN ("A", "B")` is `brand = ("A" OR "B")`. Functions, and words without a
field, are left out: words belong in the query.
"""

from collections.abc import Callable
from typing import cast

from services.retrieval.filters.lexing import Token, tokens
from services.retrieval.filters.problems import FilterError
from services.retrieval.filters.syntax import Comparator, Filter, Not, Restriction, Value, all_of, any_of

MOST_CHARACTERS = 2_000
MOST_DEPTH = 20
MOST_TERMS = 100

_COMPARATORS = ("=", "!=", "<", "<=", ">", ">=", ":")
_LISTABLE = ("=", ":")
_KEYWORDS = ("AND", "OR", "NOT")


def parse(text: str) -> Filter | None:
    """Return the tree of a filter, None for a blank one.

    Raises FilterError on one that is wrong, longer than 2,000 characters, nested deeper than 20 or of more
    than 100 terms.
    """
    if len(text) > MOST_CHARACTERS:
        raise FilterError(MOST_CHARACTERS, f"expected the end by here, found {len(text)} characters")
    parser = _Parser(list(tokens(text)))
    return None if parser.next.kind == "end" else parser.whole()


class _Parser:
    """Walks over the tokens of one filter, one method for each rule of the grammar."""

    def __init__(self, read: list[Token]) -> None:
        self._tokens = read
        self._place = 0
        self._depth = 0
        self._terms = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._place]

    def whole(self) -> Filter:
        tree = self._expression(self._restriction)
        if self.next.kind != "end":
            raise self._expected("AND, OR, another condition or the end")
        return tree

    def _expression(self, simple: Callable[[], Filter]) -> Filter:
        operands = [self._factor(simple)]
        while self._takes_word("AND") or self._begins_term():
            operands.append(self._factor(simple))
        return all_of(operands)

    def _factor(self, simple: Callable[[], Filter]) -> Filter:
        operands = [self._term(simple)]
        while self._takes_word("OR"):
            operands.append(self._term(simple))
        return any_of(operands)

    def _term(self, simple: Callable[[], Filter]) -> Filter:
        if self._takes_word("NOT") or self._takes_minus():
            return Not(self._simple(simple))
        return self._simple(simple)

    def _simple(self, simple: Callable[[], Filter]) -> Filter:
        if self._takes_symbol("("):
            return self._inside(simple)
        return simple()

    def _inside(self, simple: Callable[[], Filter]) -> Filter:
        """Return what stands in the parentheses just opened."""
        opened = self._tokens[self._place - 1].position
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise FilterError(opened, f"must not be nested deeper than {MOST_DEPTH}")
        tree = self._expression(simple)
        if not self._takes_symbol(")"):
            raise self._expected(f"AND, OR, another condition or the ) that closes character {opened}")
        self._depth -= 1
        return tree

    def _restriction(self) -> Filter:
        position, path = self.next.position, self._path()
        if self._takes_word("IN"):
            return any_of([Restriction(path, "=", value, position) for value in self._list()])
        if self.next.text not in _COMPARATORS or self.next.kind != "symbol":
            raise self._expected(f"one of {' '.join(_COMPARATORS)} or IN after {'.'.join(path)!r}")
        comparator = cast(Comparator, self._take().text)

        def compared() -> Filter:
            return Restriction(path, comparator, self._value(), position)

        if self._is_symbol("(") and comparator not in _LISTABLE:
            raise self._expected(f"a single value after {comparator} (lists go with = and :)")
        return self._simple(compared)

    def _list(self) -> list[Value]:
        if not self._takes_symbol("("):
            raise self._expected("( after IN")
        values = [self._value()]
        while self._takes_symbol(","):
            values.append(self._value())
        if not self._takes_symbol(")"):
            raise self._expected(", or ) in the list of IN")
        return values

    def _path(self) -> tuple[str, ...]:
        token = self.next
        if token.kind != "word" or token.text in _KEYWORDS:
            raise self._expected("the name of a field")
        parts = self._take().text.split(".", 1)
        if len(parts) == 2 and not parts[1]:
            parts[1] = self._quoted_key(token.end)
        return tuple(parts)

    def _quoted_key(self, position: int) -> str:
        if self.next.kind != "string" or self.next.position != position:
            raise FilterError(position, "expected a name or a string after the dot")
        return self._take().text

    def _value(self) -> Value:
        token = self.next
        if token.kind not in ("word", "string") or (token.kind == "word" and token.text in _KEYWORDS):
            raise self._expected("a value")
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise FilterError(token.position, f"must hold at most {MOST_TERMS} terms")
        self._take()
        return Value(token.text, token.kind == "string", token.position)

    def _takes_minus(self) -> bool:
        """Take the minus that negates what follows it; a number's own minus stands in values."""
        token = self.next
        if token.kind != "word" or not token.text.startswith("-"):
            return False
        if token.text == "-":
            self._take()
        else:
            rest = Token("word", token.text[1:], token.position + 1, token.end)
            self._tokens[self._place] = rest
        return True

    def _begins_term(self) -> bool:
        token = self.next
        return self._is_symbol("(") or token.kind == "string" or (token.kind == "word" and token.text != "OR")

    def _takes_word(self, word: str) -> bool:
        return self._takes("word", word)

    def _takes_symbol(self, symbol: str) -> bool:
        return self._takes("symbol", symbol)

    def _is_symbol(self, symbol: str) -> bool:
        return self.next.kind == "symbol" and self.next.text == symbol

    def _takes(self, kind: str, text: str) -> bool:
        taken = self.next.kind == kind and self.next.text == text
        if taken:
            self._take()
        return taken

    def _take(self) -> Token:
        token = self.next
        self._place += 1
        return token

    def _expected(self, what: str) -> FilterError:
        return FilterError(self.next.position, f"expected {what}, found {self.next}")

"""Page tokens: opaque, url-safe, and good only for the request they came from."""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from gateway import pins
from gateway.pins import Pinned
from runtime.serving.errors import Violations

DEFAULT_PAGE_SIZE = 10
MOST_PAGE_SIZE = 100

_VERSION = b"\x02"
_DIGEST_BYTES = 14
_MOST_TOKEN_CHARACTERS = 200_000  # a thousand products with the longest ids
_REFUSAL = (
    "must be the next_page_token of the page before, unchanged, for the same request and page_size, or empty"
)


@dataclass(frozen=True)
class Page:
    """The part of an answer that is wanted: `size` hits, the first ones or those of `pinned`.

    `request` is what the token is bound to: the RPC's name and the fields that choose its answer.
    """

    size: int
    request: tuple[str, ...]
    pinned: Pinned | None = None

    def token(self, rest: Pinned) -> str:
        """Return the token of the page that goes on with `rest`; empty when nothing is left."""
        if not rest.ids:
            return ""
        packed = pins.pack(rest)
        return base64.urlsafe_b64encode(_VERSION + self._digest(packed) + packed).decode().rstrip("=")

    def holds(self, digest: bytes, packed: bytes) -> bool:
        """Return whether `packed` comes from a token of this very request."""
        return self._digest(packed) == digest

    def _digest(self, packed: bytes) -> bytes:
        digest = hashlib.blake2b(packed, digest_size=_DIGEST_BYTES, person=b"aisle page token")
        for field in (str(self.size), *self.request):
            each = field.encode()
            digest.update(len(each).to_bytes(4, "big") + each)
        return digest.digest()


def read_page(violations: Violations, page_size: int, page_token: str, *request: str) -> Page:
    """Return the page a request asks for; notes what is wrong with `page_size` and `page_token`.

    The digest binds a token to its request and shows a changed one. It is no secret: who forges one gets
    products that any caller may read by their ids, nothing more.
    """
    if not 0 <= page_size <= MOST_PAGE_SIZE:
        violations.add(
            "page_size", f"must be 1 to {MOST_PAGE_SIZE}, or 0 for {DEFAULT_PAGE_SIZE}, got {page_size}"
        )
    first = Page(page_size or DEFAULT_PAGE_SIZE, request)
    if not page_token:
        return first
    pinned = _pinned_in(page_token, first)
    if pinned is None:
        violations.add("page_token", _REFUSAL)
        return first
    return Page(first.size, request, pinned)


def _pinned_in(token: str, first: Page) -> Pinned | None:
    if len(token) > _MOST_TOKEN_CHARACTERS:
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        digest, packed = raw[1 : 1 + _DIGEST_BYTES], raw[1 + _DIGEST_BYTES :]
        if raw[:1] != _VERSION or not first.holds(digest, packed):
            return None
        pinned = pins.unpack(packed)
    except (binascii.Error, ValueError):
        return None
    # base64 has spare bits at its end: a token changed there would read the same.
    return pinned if first.token(pinned) == token else None

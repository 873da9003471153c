"""Page tokens: opaque, url-safe, and good only for the request they came from."""

import base64
import binascii
import hashlib
import struct
from dataclasses import dataclass

from runtime.serving.errors import Violations

DEFAULT_PAGE_SIZE = 10
MOST_PAGE_SIZE = 100

_VERSION = 1
_HEAD = struct.Struct(">BI")  # format version, offset
_DIGEST_BYTES = 13  # with the head 18 bytes, 24 characters: base64 leaves no unused bit to tamper with
_REFUSAL = (
    "must be the next_page_token of the page before, unchanged, for the same request and page_size, or empty"
)


@dataclass(frozen=True)
class Page:
    """The part of an answer that is wanted: `size` hits after the first `offset` candidates.

    `request` is what the token is bound to: the RPC's name and the fields that choose its answer.
    """

    offset: int
    size: int
    request: tuple[str, ...]

    def token_at(self, offset: int) -> str:
        """Return the token of the page that starts at `offset`."""
        head = _HEAD.pack(_VERSION, offset)
        return base64.urlsafe_b64encode(head + self._digest(head)).decode()

    def _digest(self, head: bytes) -> bytes:
        digest = hashlib.blake2b(head, digest_size=_DIGEST_BYTES, person=b"aisle page token")
        for field in (str(self.size), *self.request):
            packed = field.encode()
            digest.update(len(packed).to_bytes(4, "big") + packed)
        return digest.digest()


def read_page(violations: Violations, page_size: int, page_token: str, *request: str) -> Page:
    """Return the page a request asks for; notes what is wrong with `page_size` and `page_token`.

    The digest binds a token to its request and shows a changed one. It is no secret: who forges one gets a
    page of the same answer, nothing more.
    """
    if not 0 <= page_size <= MOST_PAGE_SIZE:
        violations.add(
            "page_size", f"must be 1 to {MOST_PAGE_SIZE}, or 0 for {DEFAULT_PAGE_SIZE}, got {page_size}"
        )
    first = Page(0, page_size or DEFAULT_PAGE_SIZE, request)
    if not page_token:
        return first
    offset = _offset_in(page_token)
    if offset is None or first.token_at(offset) != page_token:
        violations.add("page_token", _REFUSAL)
        return first
    return Page(offset, first.size, request)


def _offset_in(token: str) -> int | None:
    try:
        version, offset = _HEAD.unpack(base64.urlsafe_b64decode(token)[: _HEAD.size])
    except (binascii.Error, struct.error, ValueError):
        return None
    return int(offset) if version == _VERSION else None

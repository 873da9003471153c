"""Products and their ids as text that fits VARCHAR fields."""

import base64
import binascii
import zlib
from urllib.parse import quote

from google.protobuf.message import DecodeError

from aisle.catalog.v1.product_pb2 import Product

MOST_CHARACTERS = 65_535  # of Milvus's VARCHAR


def pack(product: Product) -> str:
    """Return `product` as ASCII text. Raises ValueError when that is longer than 65,535 characters."""
    packed = base64.b64encode(zlib.compress(product.SerializeToString(), level=1)).decode("ascii")
    if len(packed) > MOST_CHARACTERS:
        raise ValueError(f"must pack into {MOST_CHARACTERS} bytes at most, got {len(packed)}")
    return packed


def unpack(packed: str) -> Product:
    """Return the product that `pack` made `packed` of. Raises ValueError when it is not one."""
    try:
        return Product.FromString(zlib.decompress(base64.b64decode(packed)))
    except (binascii.Error, zlib.error, DecodeError) as error:
        raise ValueError(f"no packed product: {error}") from error


def key(product_id: str) -> str:
    """Return the id percent-encoded: the client writes keys unescaped into filters such as `id in ['…']`."""
    return quote(product_id, safe="")

"""What requests of the retrieval service must be; each refusal names its field."""

import math
import re
import unicodedata
from collections.abc import Sequence

from aisle.catalog.v1.embedding_pb2 import QueryEmbedding
from aisle.catalog.v1.product_pb2 import Availability, Product
from aisle.retrieval.v1.retrieval_pb2 import RetrieveRequest, SuggestRequest
from runtime.serving.errors import Violations
from services.retrieval.encoder import Encoder
from services.retrieval.filters.parsing import parse
from services.retrieval.filters.problems import FilterError
from services.retrieval.packing import pack
from services.retrieval.selection import DEFAULT_FACET_LIMIT, Selection

_MOST_QUERY_CHARACTERS = 512
_MOST_PREFIX_CHARACTERS = 128
_MOST_SUGGESTIONS = 20
_LANGUAGES = ("", "zh", "en")
_MOST_ID_BYTES = 128
_MOST_HISTORY = 50
_MOST_CANDIDATES = 1000
_MOST_FACETS = 20
_MOST_FACET_VALUES = 100
_MOST_IDS = 1000
_MOST_PRODUCTS = 256
_MOST_TITLE_CHARACTERS = 2_000
_MOST_DESCRIPTION_CHARACTERS = 10_000
_MOST_NUMBERS = 4096  # of an embedding
_LENGTH_ERROR = 0.01  # of an embedding that was normalised in half precision, and more
_CURRENCY = re.compile("[A-Z]{3}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# Format characters (zero-width joiners in emoji) are welcome beside something that can be seen.
_INVISIBLE_CATEGORIES = ("Cf", "Zs", "Zl", "Zp")


def check_retrieve(request: RetrieveRequest) -> Selection:
    """Return what of the matches `request` wants. Raises InvalidArgument past the limits of its proto."""
    wrong = Violations()
    source = request.WhichOneof("source")
    if source is None:
        wrong.add("source", "must be one of query, similar_to, for_user, got none")
    elif source == "query":
        _check_text(wrong, "query", request.query, _MOST_QUERY_CHARACTERS)
    elif source == "similar_to":
        _check_id(wrong, "similar_to", request.similar_to)
    if len(request.history_ids) > _MOST_HISTORY:
        wrong.add("history_ids", f"must be at most {_MOST_HISTORY}, got {len(request.history_ids)}")
    if not 0 <= request.limit <= _MOST_CANDIDATES:
        wrong.add("limit", f"must be 0 to {_MOST_CANDIDATES}, got {request.limit}")
    if request.HasField("query_embedding"):
        _check_embedding(wrong, request)
    wish = _selection(wrong, request)
    wrong.raise_if_any()
    return wish


def check_dimension(given: QueryEmbedding, encoder: Encoder) -> None:
    """Raise InvalidArgument where an embedding names the encoder's space and has another width."""
    wrong = Violations()
    if given.embedding_space == encoder.space and len(given.values) != encoder.dimension:
        has = f"space {encoder.space!r} has {encoder.dimension} dimensions"
        wrong.add("query_embedding.values", f"{has}, got {len(given.values)}")
    wrong.raise_if_any()


def check_suggest(request: SuggestRequest) -> None:
    """Raise InvalidArgument unless `request` keeps the limits of its proto."""
    wrong = Violations()
    _check_text(wrong, "prefix", request.prefix, _MOST_PREFIX_CHARACTERS)
    if not 0 <= request.limit <= _MOST_SUGGESTIONS:
        wrong.add("limit", f"must be 0 to {_MOST_SUGGESTIONS}, got {request.limit}")
    if request.language not in _LANGUAGES:
        wrong.add("language", f"must be zh, en or empty, got {request.language[:16]!r}")
    wrong.raise_if_any()


def check_ids(ids: Sequence[str]) -> None:
    """Raise InvalidArgument unless `ids` are 1 to 1,000 product ids."""
    wrong = Violations()
    if not 1 <= len(ids) <= _MOST_IDS:
        wrong.add("ids", f"must be 1 to {_MOST_IDS}, got {len(ids)}")
    for place, product_id in enumerate(ids[:_MOST_IDS]):
        _check_id(wrong, f"ids[{place}]", product_id)
    wrong.raise_if_any()


def check_products(products: Sequence[Product]) -> None:
    """Raise InvalidArgument unless `products` are 1 to 256 storable products with distinct ids."""
    wrong = Violations()
    if not 1 <= len(products) <= _MOST_PRODUCTS:
        wrong.add("products", f"must be 1 to {_MOST_PRODUCTS}, got {len(products)}")
        wrong.raise_if_any()
    places: dict[str, int] = {}
    for place, product in enumerate(products):
        field = f"products[{place}]"
        first = places.setdefault(product.id, place)
        if first != place:
            wrong.add(f"{field}.id", f"must be distinct, products[{first}] has the same")
        _check_product(wrong, field, product)
    wrong.raise_if_any()


def _check_embedding(wrong: Violations, request: RetrieveRequest) -> None:
    values = request.query_embedding.values
    if request.WhichOneof("source") != "query":
        wrong.add("query_embedding", "stands for a query, and there is none; leave it out")
    if not 1 <= len(values) <= _MOST_NUMBERS:
        wrong.add("query_embedding.values", f"must be 1 to {_MOST_NUMBERS} numbers, got {len(values)}")
    elif not abs((length := math.hypot(*values)) - 1) <= _LENGTH_ERROR:  # NaN is not
        wrong.add("query_embedding.values", f"must be finite and of length 1, got length {length}")


def _selection(wrong: Violations, request: RetrieveRequest) -> Selection:
    if len(request.facets) > _MOST_FACETS:
        wrong.add("facets", f"must be at most {_MOST_FACETS}, got {len(request.facets)}")
    if not 0 <= request.facet_limit <= _MOST_FACET_VALUES:
        wrong.add("facet_limit", f"must be 0 to {_MOST_FACET_VALUES}, got {request.facet_limit}")
    tree = None
    try:
        tree = parse(request.filter)
    except FilterError as error:
        wrong.add("filter", str(error))
    return Selection(
        filter=tree,
        facets=tuple(dict.fromkeys(request.facets[:_MOST_FACETS])),
        facet_limit=request.facet_limit or DEFAULT_FACET_LIMIT,
        collapse_variants=request.collapse_variants,
        bounded_counts=request.bounded_counts,
    )


def _check_text(wrong: Violations, field: str, text: str, most: int) -> None:
    if len(text) > most:
        wrong.add(field, f"must be at most {most} characters, got {len(text)}")
    elif _CONTROL.search(text):
        wrong.add(field, "must not hold control characters")
    elif all(unicodedata.category(character) in _INVISIBLE_CATEGORIES for character in text):
        wrong.add(field, "must hold at least one visible character")


def _check_id(wrong: Violations, field: str, product_id: str) -> None:
    size = len(product_id.encode())
    if not 1 <= size <= _MOST_ID_BYTES:
        wrong.add(field, f"must be 1 to {_MOST_ID_BYTES} bytes, got {size}")
    elif _CONTROL.search(product_id):
        wrong.add(field, "must not hold control characters")


def _check_product(wrong: Violations, field: str, product: Product) -> None:
    _check_id(wrong, f"{field}.id", product.id)
    if product.group_id:
        _check_id(wrong, f"{field}.group_id", product.group_id)
    _check_texts(wrong, field, product)
    _check_numbers(wrong, field, product)
    if product.availability not in Availability.values():
        wrong.add(f"{field}.availability", f"must be a value of Availability, got {product.availability}")
    try:
        pack(product)
    except ValueError as error:
        wrong.add(field, str(error))


def _check_texts(wrong: Violations, field: str, product: Product) -> None:
    if not any(title.strip() for title in product.title.values()):
        wrong.add(f"{field}.title", "must hold at least one title")
    for name, texts, most in (
        ("title", product.title, _MOST_TITLE_CHARACTERS),
        ("description", product.description, _MOST_DESCRIPTION_CHARACTERS),
    ):
        for language, text in texts.items():
            if not language:
                wrong.add(f"{field}.{name}", "must name the language of each text")
            if len(text) > most:
                wrong.add(
                    f"{field}.{name}[{language}]", f"must be at most {most} characters, got {len(text)}"
                )


def _check_numbers(wrong: Violations, field: str, product: Product) -> None:
    if product.HasField("price"):
        if not (math.isfinite(product.price.amount) and product.price.amount >= 0):
            wrong.add(f"{field}.price.amount", f"must be finite and not negative, got {product.price.amount}")
        if not _CURRENCY.fullmatch(product.price.currency_code):
            wrong.add(f"{field}.price.currency_code", "must be three upper-case letters (ISO 4217)")
    if product.HasField("rating") and not 0 <= product.rating <= 5:
        wrong.add(f"{field}.rating", f"must be 0 to 5, got {product.rating}")
    if product.HasField("positive_review_share") and not 0 <= product.positive_review_share <= 1:
        wrong.add(f"{field}.positive_review_share", f"must be 0 to 1, got {product.positive_review_share}")
    if product.review_count < 0:
        wrong.add(f"{field}.review_count", f"must not be negative, got {product.review_count}")

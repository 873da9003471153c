"""Every metric of Aisle, made in one place under conventional names; labels never carry user input."""

from prometheus_client import Counter, Gauge, Histogram

# Geometric from 100 µs to 13 s: a 2 ms service must be visible, and so must a stall.
SECONDS_BUCKETS = tuple(1e-4 * 1.5**step for step in range(30))
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)

_RPC_LABELS = ("grpc_service", "grpc_method", "grpc_type")

SERVER_STARTED = Counter("grpc_server_started", "RPCs started on the server.", _RPC_LABELS)
SERVER_HANDLED = Counter(
    "grpc_server_handled", "RPCs completed on the server, by status code.", (*_RPC_LABELS, "grpc_code")
)
SERVER_HANDLING_SECONDS = Histogram(
    "grpc_server_handling_seconds",
    "Seconds from receiving an RPC to its answer.",
    (*_RPC_LABELS, "grpc_code"),
    buckets=SECONDS_BUCKETS,
)
STAGE_SECONDS = Histogram("aisle_stage_seconds", "Seconds of one stage.", ("stage",), buckets=SECONDS_BUCKETS)
MODEL_SECONDS = Histogram(
    "aisle_model_seconds",
    "Seconds a model spends tokenizing, queueing and inferring.",
    ("model", "phase"),
    buckets=SECONDS_BUCKETS,
)
BATCH_SIZE = Histogram("aisle_batch_size", "Items in a model's batch.", ("model",), buckets=_BATCH_BUCKETS)
DEGRADED = Counter("aisle_degraded", "Answers given without a stage, by reason.", ("stage", "reason"))
SHORTCUTS = Counter(
    "aisle_intent_shortcuts", "Queries read without a pass of the model, by reason.", ("reason",)
)
SHED = Counter("aisle_shed", "Work refused or dropped before it was done, by reason.", ("reason",))
CONCURRENCY_LIMIT = Gauge(
    "aisle_concurrency_limit", "Calls of a method served at once; more are refused.", _RPC_LABELS[:2]
)
INFLIGHT = Gauge("aisle_inflight", "RPCs being served now.")
MODEL_INFO = Gauge(
    "aisle_model_info", "Models loaded; always 1.", ("model", "version", "provider", "precision")
)
FEEDBACK_LAG = Histogram(
    "aisle_feedback_lag_seconds",
    "Seconds from receiving an event to its being visible to the next request.",
    buckets=SECONDS_BUCKETS,
)
QUERY_EMBEDDINGS = Counter(
    "aisle_query_embeddings",
    "Embeddings that searches used, by source: given with the request, remembered, or encoded.",
    ("source",),
)
EMBEDDINGS_UNUSED = Counter(
    "aisle_query_embeddings_unused",
    "Embeddings given with a request that the search could not use: of other_space or other_text.",
    ("reason",),
)
REVIEWS_JUDGED = Counter(
    "aisle_reviews_judged",
    "Reviews judged, by how they feel: positive, neutral, negative, or unreadable for the model.",
    ("sentiment",),
)
REVIEW_ASPECTS = Counter(
    "aisle_review_aspects",
    "Clauses of judged reviews by the aspect they name (the model's own) and how they feel.",
    ("aspect", "sentiment"),
)
REVIEW_BATCHES = Counter(
    "aisle_review_batches",
    "Batches of reviews by what became of them: judged, refused and judged one by one, or put off because "
    "the intent service or the store was late, unavailable, overloaded or failed (error).",
    ("outcome",),
)
REVIEW_LAG = Histogram(
    "aisle_review_lag_seconds",
    "Seconds from a review's being recorded to its being counted.",
    buckets=tuple(0.01 * 2**step for step in range(24)),
)
REVIEWS_WAITING = Gauge("aisle_reviews_waiting", "Recorded reviews that are not judged yet.")
REVIEWS_OLDEST = Gauge(
    "aisle_reviews_oldest_waiting_seconds",
    "Seconds that the first waiting review has waited; 0 for none, or where none is to be judged.",
)
INDEX_ROWS = Gauge("aisle_index_rows", "Products in the index.")
INDEX_OPENED = Counter(
    "aisle_index_opened",
    "Starts by what the index was made of: snapshot, or the whole record (no_snapshot, snapshot_unusable).",
    ["source"],
)
BUILD_PROGRESS = Gauge(
    "aisle_index_build_progress",
    "Share of the catalogue in the generation beside the served one; 1 when it is complete, 0 without one.",
)
RANKING_RULES = Counter(
    "aisle_ranking_rules",
    "Merchandising rules that met a request, by what became of them: applied, no_candidate (none of its "
    "products was among the candidates) or position_taken (a pin gave way to an earlier one).",
    ("action", "outcome"),
)
RULES_LOADED = Gauge("aisle_ranking_rules_loaded", "Merchandising rules in force.")
RULES_RELOADS = Counter(
    "aisle_ranking_rules_reloads",
    "Readings of the file of rules: loaded, or refused and the old kept.",
    ("outcome",),
)
UNKNOWN_VALUES = Counter(
    "aisle_ranking_unknown_values",
    "Candidates ranked without a value that a feature needs; it counted as average.",
    ("field",),
)
REQUESTS_LOGGED = Counter(
    "aisle_ranking_requests_logged",
    "Requests for the log of requests: written, dropped because too many waited, or failed.",
    ("outcome",),
)

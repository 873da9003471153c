"""Computing all embeddings anew before the service listens: what `--reembed true` asks for."""

from runtime.inference.manifest import Manifest
from runtime.observability.logs import get_logger
from services.retrieval.record import CatalogRecord, StoredGeneration
from services.retrieval.retrievers import Retrievers

logger = get_logger(__name__)

_STORED_AT_ONCE = 64


def rebuild(
    record: CatalogRecord, old: StoredGeneration, manifest: Manifest, retrievers: Retrievers
) -> StoredGeneration:
    """Return the new, active generation of a model after embedding every product of `old`, which is dropped.

    The old generation is active until the new one is complete. What an interrupted rebuild stored is not
    embedded again.
    """
    encoder = retrievers.open(manifest.version)
    new = record.create(manifest.embedding_space, manifest.dimension)
    done = {product.id: product for products, _ in record.rows(new) for product in products}
    wanted = [product for products, _ in record.rows(old) for product in products]
    missing = [product for product in wanted if done.get(product.id) != product]
    for start in range(0, len(missing), _STORED_AT_ONCE):
        part = missing[start : start + _STORED_AT_ONCE]
        record.upsert(new, part, encoder.products_sync(part))
        logger.info("reembedding", embedded=start + len(part), of=len(missing), known=len(done))
    gone = sorted(set(done) - {product.id for product in wanted})
    for start in range(0, len(gone), _STORED_AT_ONCE):
        record.delete(new, gone[start : start + _STORED_AT_ONCE])
    record.activate(new)
    record.drop(old)
    return new

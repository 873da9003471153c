"""Real catalogues that a model may learn from: those whose licence lets it ship, and the user's own."""

from collections.abc import Sequence
from pathlib import Path

from catalog.mapping import CatalogError
from catalog.reading import Rejected
from catalog.reading import Source as Catalogue
from runtime.settings import StartupError
from training.retriever.sources import Source, catalogue_titles

PERMISSIVE = {"esci_us": "Apache-2.0"}
OWN = "the owner's"


def chosen_catalogues(data: Path | None, own: Sequence[Path]) -> list[Source]:
    """Pairs of titles and what else is said, of each permissive catalogue in `data` and of each in `own`.

    Judgments are never read. Raises StartupError when `data` holds none of the permissive catalogues, or a
    catalogue cannot be read or has no product with title and description.
    """
    held = [data / name for name in PERMISSIVE if (data / name).is_dir()] if data else []
    if data and not held:
        raise StartupError(f"{data} holds none of {', '.join(PERMISSIVE)}; leave --data out to train without")
    return [
        *(_titles(folder, PERMISSIVE[folder.name]) for folder in held),
        *(_titles(path, OWN) for path in own),
    ]


def _titles(path: Path, licence: str) -> Source:
    try:
        rows = [row for _, row in Catalogue.find(path).read()]
    except CatalogError as error:
        raise StartupError(str(error)) from error
    source = catalogue_titles(path.stem, [row for row in rows if not isinstance(row, Rejected)], licence)
    if not source.examples:
        raise StartupError(f"{path} has no product with a title and a description to learn from")
    return source

"""Real catalogues whose licence lets a model that ships learn from them."""

from pathlib import Path

from catalog.mapping import CatalogError
from catalog.reading import Rejected
from catalog.reading import Source as Catalogue
from runtime.settings import StartupError
from training.retriever.sources import Source, catalogue_titles

PERMISSIVE = {"esci_us": "Apache-2.0"}


def real_catalogues(data: Path) -> list[Source]:
    """Title-to-description pairs of each permissive catalogue in `data`; judgments are never read.

    Raises StartupError when the folder holds none of them.
    """
    held = [data / name for name in PERMISSIVE if (data / name).is_dir()]
    if not held:
        raise StartupError(f"{data} holds none of {', '.join(PERMISSIVE)}; leave --data out to train without")
    return [_titles(folder) for folder in held]


def _titles(folder: Path) -> Source:
    try:
        rows = [row for _, row in Catalogue.find(folder).read()]
    except CatalogError as error:
        raise StartupError(str(error)) from error
    return catalogue_titles(folder.name, [row for row in rows if not isinstance(row, Rejected)])

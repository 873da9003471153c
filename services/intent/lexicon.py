"""From what a query calls a value to what the catalogue calls it."""

import re
from collections.abc import Mapping

from services.intent.folding import fold

_SPACES = re.compile(r"[\s_-]+")


class Lexicon:
    """Surface forms in any language by attribute key: {"color": {"黑色": "black", "jet black": "black"}}."""

    def __init__(self, forms: Mapping[str, Mapping[str, str]]) -> None:
        self._canonical = {
            key: {_spelling(surface): value for surface, value in values.items()}
            for key, values in forms.items()
        }

    def canonical(self, key: str, surface: str) -> str | None:
        """Return the catalogue's value of a surface form, None when it has none."""
        return self._canonical.get(key, {}).get(_spelling(surface))

    def resolve(self, key: str, text: str) -> tuple[str, int, int] | None:
        """Return the longest known form inside `text` as (value, start, end), None when there is none.

        A token may reach beyond the value it names (夏季男), so its span does too.
        """
        whole = self.canonical(key, text)
        if whole is not None:
            return whole, 0, len(text)
        forms = self._canonical.get(key, {})
        folded = fold(text)
        found = [(form, place) for form in forms if (place := _find(folded, form)) >= 0]
        if not found:
            return None
        form, place = max(found, key=lambda each: len(each[0]))
        return forms[form], place, place + len(form)


def _spelling(surface: str) -> str:
    """One spelling for "T-Shirt", "t shirt" and "ｔ-shirt"."""
    return _SPACES.sub(" ", fold(surface)).strip()


def _find(folded: str, form: str) -> int:
    """Where `form` stands in `folded`: whole Latin words, others of two characters or more."""
    if not form.isascii():
        return folded.find(form) if len(form) > 1 else -1
    found = re.search(rf"(?<![a-z0-9]){re.escape(form)}(?![a-z0-9])", folded)
    return found.start() if found else -1

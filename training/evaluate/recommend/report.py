"""What an evaluation of recommendations prints."""

from collections.abc import Mapping

from rich.table import Column, Table

from training.evaluate.figures import Figure

Quoted = Mapping[str, Mapping[str, Mapping[str, float]]]  # set → model → measure → value

_SHOWN = ("hr@5", "hr@10", "ndcg@10", "hr@10_new", "ndcg@10_new", "recall@20")
_CAPTION = "every item is ranked; _new: but for those of the user's history, as published"


def table(figures: Mapping[str, Figure], published: Quoted) -> Table:
    """A section per set with a row per model, and after them what was `published` of the set."""
    heads = [Column(head, no_wrap=True) for head in ("model", *_SHOWN)]
    drawn = Table(*heads, title="what comes next", caption=_CAPTION)
    for name, models in _by_set(figures).items():
        drawn.add_row(f"[bold]{name}")
        for model, values in {**models, **published.get(name, {})}.items():
            drawn.add_row(f"  {model}", *(f"{values[each]:.4f}" if each in values else "" for each in _SHOWN))
        drawn.add_section()
    return drawn


def flat(quoted: Quoted) -> dict[str, float]:
    """Return the values by "<set>/<model>/<measure>"."""
    return {
        f"{name}/{model}/{measure}": value
        for name, models in quoted.items()
        for model, values in models.items()
        for measure, value in values.items()
    }


def _by_set(figures: Mapping[str, Figure]) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = {}
    for key, figure in figures.items():
        name, model, measure = key.split("/")
        found.setdefault(name, {}).setdefault(model, {})[measure] = figure.value
    return found

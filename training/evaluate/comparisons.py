"""What the fused and ranked answers are compared with, query by query: fixed weights, and nothing trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from services.retrieval import fusion
from services.retrieval.scoring import SERVED
from training.evaluate.cross_validation import Setting, Validated, cross_validate
from training.evaluate.figures import values_by_group
from training.evaluate.searched import Ranking, Searched
from training.evaluate.significance import Difference, paired

# One weight for all queries: what a description shop wants, and the least that a shop of model numbers does.
FIXED = (0.2, 0.5)
UNTRAINED_WEIGHTS = (0.1, 0.2)
FEEDBACK_WEIGHTS = (0.0, 0.3, 0.5, 0.7, 1.0)
LEXICAL_TIMES = (0.5, 1.0, 1.5)
_DISAGREEING = replace(SERVED, agreement=0.0)
# What is served without one of its rules: weights, and whether exclusions are read.
LESS = {
    "no exclusions": (SERVED, False),
    "no agreement": (_DISAGREEING, True),
    "neither": (_DISAGREEING, False),
}
By = Mapping[str, Sequence[Ranking]]
Differences = dict[str, Difference]


@dataclass(frozen=True)
class Fitted:
    """Cross-validated values of a set's own queries by measure, and how their settings were chosen."""

    values: Mapping[str, Sequence[float]]
    validated: Validated

    def record(self) -> dict[str, object]:
        """The means of all settings and what each fold chose, as JSON values."""
        return {
            "measure": next(iter(self.values)),
            "means": {_named(setting): mean for setting, mean in self.validated.means.items()},
            "chosen": [_named(setting) for setting in self.validated.chosen],
        }


def against_fixed(searched: Searched, fused: Sequence[Ranking]) -> Differences:
    """Fused against one lexical weight for all queries, by the set's first measure."""
    judged, found = searched.judged, Differences()
    measure = judged.measures[0]
    ours = values_by_group(judged, fused, measure)
    for weight in FIXED:
        theirs = values_by_group(judged, searched.fixed(weight), measure)
        for group, values in ours.items():
            found[f"{group}/fused/{measure} vs fixed@{weight:g}"] = paired(values, theirs[group])
    return found


def against_less(searched: Searched, fused: Sequence[Ranking]) -> Differences:
    """Fused against the same without one of its rules, by the set's first measure."""
    judged, found = searched.judged, Differences()
    measure = judged.measures[0]
    ours = values_by_group(judged, fused, measure)
    for name, (weights, exclusions) in LESS.items():
        other = searched.otherwise(weights, exclusions=exclusions)
        rankings = [list(each.products.ids) for each in other.candidates()]
        theirs = values_by_group(judged, rankings, measure)
        for group, values in ours.items():
            found[f"{group}/fused/{measure} vs {name}"] = paired(values, theirs[group])
    return found


def against_untrained(searched: Searched, by_channel: By, untrained: Searched, fitted: Fitted) -> Differences:
    """Fused, ranked and the cross-validated fusion against fusion with one weight over an untrained encoder.

    `untrained` is without feedback; of its weights the one counts that is best on these very queries.
    """
    judged, found = searched.judged, Differences()
    others = [untrained.fixed(weight) for weight in UNTRAINED_WEIGHTS]
    for measure in judged.measures:
        theirs = max(
            (values_by_group(judged, each, measure)[judged.name] for each in others),
            key=sum,
        )
        ours = {
            channel: values_by_group(judged, by_channel[channel], measure)[judged.name]
            for channel in ("fused", "ranked")
            if channel in by_channel
        }
        for channel, values in {**ours, "fused_cv": fitted.values[measure]}.items():
            found[f"{judged.name}/{channel}/{measure} vs untrained"] = paired(values, theirs)
    return found


def fit(searched: Searched) -> Fitted:
    """Choose feedback and lexical weight in cross-validation by the set's own queries and first measure."""
    judged = searched.judged
    by_measure: dict[str, dict[Setting, list[float]]] = {measure: {} for measure in judged.measures}
    for feedback in FEEDBACK_WEIGHTS:
        fed_back = searched.otherwise(replace(SERVED, feedback=feedback))
        for times in LEXICAL_TIMES:
            found, setting = fed_back.scaled(times), (feedback, fusion.LEXICAL_WEIGHT * times)
            for measure, values in by_measure.items():
                values[setting] = values_by_group(judged, found, measure)[judged.name]
    validated = cross_validate(by_measure[judged.measures[0]])
    return Fitted({measure: validated.pick(values) for measure, values in by_measure.items()}, validated)


def _named(setting: Setting) -> str:
    feedback, lexical = setting
    return f"feedback {feedback:g}, lexical {lexical:g}"

"""What an evaluation collects, set by set."""

from dataclasses import dataclass, field

from rich.table import Table

from training.evaluate.comparisons import (
    Differences,
    Fitted,
    against_fixed,
    against_less,
    against_untrained,
    fit,
)
from training.evaluate.figures import Figure, figure, figures
from training.evaluate.rankings import Ranker, rankings
from training.evaluate.report import comparison_table, table
from training.evaluate.searched import Searched


@dataclass
class Results:
    """Figures, comparisons, and by set how settings were chosen in cross-validation."""

    figures: dict[str, Figure] = field(default_factory=dict)
    comparisons: Differences = field(default_factory=dict)
    fitted: dict[str, Fitted] = field(default_factory=dict)

    def measure(self, searched: Searched, ranker: Ranker | None, untrained: Searched | None) -> None:
        """Add a set's: with `untrained`, the same set over an untrained encoder, what is fitted to it too."""
        by_channel = rankings(searched, ranker)
        self.figures |= figures(searched.judged, by_channel)
        self.comparisons |= against_fixed(searched, by_channel["fused"])
        self.comparisons |= against_less(searched, by_channel["fused"])
        if untrained is not None:
            name, fitted = searched.judged.name, fit(searched)
            self.fitted[name] = fitted
            self.figures |= {f"{name}/fused_cv/{each}": figure(fitted.values[each]) for each in fitted.values}
            self.comparisons |= against_untrained(searched, by_channel, untrained, fitted)

    def tables(self) -> list[Table]:
        """What is printed."""
        return [table(self.figures), comparison_table(self.comparisons), *self._settings()]

    def _settings(self) -> list[Table]:
        drawn = []
        for name, fitted in self.fitted.items():
            chosen = fitted.validated.chosen
            each = Table("feedback", "lexical", "mean", "folds", title=f"{name}: {next(iter(fitted.values))}")
            for (feedback, lexical), mean in fitted.validated.means.items():
                folds = chosen.count((feedback, lexical))
                each.add_row(f"{feedback:g}", f"{lexical:g}", f"{mean:.4f}", str(folds or ""))
            drawn.append(each)
        return drawn

    def record(self) -> dict[str, object]:
        """What is written beside the figures, as JSON values."""
        return {
            "comparisons": {name: found.record() for name, found in self.comparisons.items()},
            "cross_validation": {name: fitted.record() for name, fitted in self.fitted.items()},
        }

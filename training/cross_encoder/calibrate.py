"""What a logit means: fitted on validation pairs after training."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from services.ranking.pairs import Calibration
from training.calibration import calibration_error
from training.cross_encoder.questions import Floats, Question

_BARELY_REGULARISED = 1e3
_LEAST_SLOPE = 1e-3  # a larger logit never means less


def calibrated(logits: Sequence[Floats], questions: Sequence[Question]) -> Calibration:
    """Fit by logistic regression; a grade between 0 and 1 is a pair that is relevant to that share.

    `logits`: one float [candidates] for each of `questions`.
    """
    said, grades = np.concatenate(logits), _grades(questions)
    rows, labels = np.tile(said, 2)[:, None], np.repeat([1, 0], len(said))
    weights = np.concatenate([grades, 1 - grades])
    fitted = LogisticRegression(C=_BARELY_REGULARISED).fit(rows, labels, sample_weight=weights)
    return Calibration(
        slope=max(_LEAST_SLOPE, float(fitted.coef_[0][0])), intercept=float(fitted.intercept_[0])
    )


def error(calibration: Calibration, logits: Sequence[Floats], questions: Sequence[Question]) -> float:
    """Return the expected calibration error of P(relevant), 0 to 1."""
    return calibration_error(calibration.probabilities(np.concatenate(logits)), _grades(questions))


def _grades(questions: Sequence[Question]) -> Floats:
    return np.concatenate([np.array(question.grades, dtype=np.float32) for question in questions])

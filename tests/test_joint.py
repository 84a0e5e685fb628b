"""The joint objective: its two ends, the way between them, and its weight."""

from __future__ import annotations

import numpy as np
import pytest

import problems
from crossphase import CrossAlignment, CrossPrediction, InputTypeError, InputValueError, JointObjective
from test_closed_forms import subspace_distance


@pytest.fixture
def model():
    """Experiment E6 of Kamai et al. at nuisance covariance 2: alignment keeps the signal, prediction does not."""
    return problems.spiked_pair(3, np.array([3.0, 2.5, 2.0]), (0.5, 0.1), (1.0, 10.0), np.full(17, 2 / np.sqrt(10)))


def test_the_ends_are_prediction_and_alignment(model):
    ca, cp = (estimator(3).fit_moments(model).weights_x_ for estimator in (CrossAlignment, CrossPrediction))
    ends = [JointObjective(3, alignment_weight=w).fit_moments(model).weights_x_ for w in (0.0, 1e9, np.inf)]
    assert subspace_distance(ends[0], cp) <= 1e-12
    assert subspace_distance(ends[1], ca) <= 1e-12
    assert subspace_distance(ends[2], ca) <= 1e-12
    assert subspace_distance(ca, cp) > 0.1


def test_more_weight_aligns_more_and_predicts_less(model):
    weights = [0.0, 0.1, 0.5, 1.0, 5.0, 20.0, 100.0, np.inf]
    fitted = [JointObjective(3, alignment_weight=w).fit_moments(model) for w in weights]
    unexplained = [
        np.trace(model.cov_yy) - np.vdot(f.coef_, model.cov_xy.T) for f in fitted
    ]  # of a least-squares map, explained = <coef, cov_yx>
    gaps = [
        3 - 2 * np.vdot(f.weights_x_, model.cov_xy @ f.weights_y_) + np.vdot(f.weights_y_, model.cov_yy @ f.weights_y_)
        for f in fitted
    ]
    assert (np.diff(unexplained) >= -1e-9).all()
    assert (np.diff(gaps) <= 1e-9).all()
    assert unexplained[-1] > unexplained[0]
    assert gaps[0] > gaps[-1]


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (-1.0, InputValueError, r"alignment_weight must be a finite number >= 0; got -1\.0"),
        (np.nan, InputValueError, "alignment_weight must be a finite number >= 0; got nan"),
        ("much", InputTypeError, "alignment_weight must be a finite number >= 0; got 'much'"),
    ],
)
def test_bad_weights_get_a_sentence(model, weight, error, message):
    with pytest.raises(error, match=message):
        JointObjective(3, alignment_weight=weight).fit_moments(model)

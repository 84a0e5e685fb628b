"""Several views: two of them are plain alignment, optimality of both criteria, counts of shared signals, bad input."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import problems
from crossphase import CrossAlignment, InputTypeError, InputValueError, MultiviewCrossAlignment, MultiviewMoments


@pytest.fixture
def views(rng):
    n = 500
    shared = rng.standard_normal((n, 2)) * [2.0, 1.0]
    made = [np.hstack([shared, np.zeros((n, p - 2))]) + rng.standard_normal((n, p)) for p in (6, 4, 5)]
    return [view @ problems.orthogonal(rng, view.shape[1]) + 7 for view in made]


def whitened(view):
    centred = view - view.mean(axis=0)
    return np.linalg.qr(centred)[0] * np.sqrt(len(view) - 1)


@pytest.mark.parametrize("criterion", ["maxvar", "sumcor"])
def test_two_views_are_plain_alignment(views, criterion):
    fitted = MultiviewCrossAlignment(3, criterion=criterion).fit(views[:2])
    plain = CrossAlignment(3).fit(*views[:2])
    tolerance = 1e-12 if criterion == "maxvar" else 1e-5  # alternation ends when the sum, quadratic in the error, rests
    assert np.abs(fitted.correlations_ - plain.correlations_).max() <= tolerance
    scores = fitted.transform(views[:2])
    for ours, theirs in zip(scores, (plain.transform(views[0]), plain.transform_y(views[1])), strict=True):
        agreement = np.abs(np.sum(ours * theirs, axis=0)) / (len(ours) - 1)
        assert np.abs(agreement - 1).max() <= tolerance


def test_maxvar_has_the_largest_common_variance(views):
    """Component j's common score is eigenvector j of the sum of projections; squared correlations with it add up to λ_j."""
    bases = [whitened(view) / np.sqrt(len(view) - 1) for view in views]
    values, common = np.linalg.eigh(sum(basis @ basis.T for basis in bases))
    scores = MultiviewCrossAlignment(3).fit(views).transform(views)
    for j in range(3):
        shared = [np.corrcoef(common[:, -1 - j], part[:, j])[0, 1] ** 2 for part in scores]
        assert sum(shared) == pytest.approx(values[-1 - j], rel=1e-10)


@pytest.mark.parametrize("criterion", ["maxvar", "sumcor"])
@pytest.mark.parametrize("ridge", [0.0, 0.5, "auto"])
def test_correlations_are_those_of_the_scores(rng, views, criterion, ridge):
    """Whatever the covariances were shrunk by, and with a view that has nothing to do with the others."""
    views = [*views[:2], rng.standard_normal((500, 3))]
    fitted = MultiviewCrossAlignment(2, criterion=criterion, ridge=ridge).fit(views)
    scores = fitted.transform(views)
    real = [[np.corrcoef(scores[i][:, c], scores[j][:, c])[0, 1] for i in range(3) for j in range(i)] for c in range(2)]
    assert np.abs(fitted.correlations_ - np.mean(real, axis=1)).max() <= 1e-10
    assert fitted.score(views) == pytest.approx(np.mean(real), rel=1e-10)
    for part in scores:
        assert np.abs(part.std(axis=0, ddof=1) - 1).max() <= 1e-10


def test_a_view_that_takes_no_part_has_no_weights():
    from scipy.linalg import hadamard

    h = hadamard(16).astype(float)
    fitted = MultiviewCrossAlignment(2).fit([h[:, 1:3], h[:, 1:3] + h[:, 3:5], h[:, 5:7]])
    assert (fitted.weights_[2] == 0).all()
    assert np.abs(fitted.correlations_ - np.sqrt(0.5) / 3).max() <= 1e-12  # one pair of three
    with pytest.raises(InputValueError, match="the views share no direction"):
        MultiviewCrossAlignment().fit([h[:, 1:3], h[:, 3:5], h[:, 5:7]])


def test_columns_of_frames_must_come_in_the_same_order(views):
    frames = [pd.DataFrame(view, columns=[f"c{i}" for i in range(view.shape[1])]) for view in views]
    fitted = MultiviewCrossAlignment(2).fit(frames)
    assert (fitted.transform(frames)[1] == MultiviewCrossAlignment(2).fit(views).transform(views)[1]).all()
    with pytest.raises(
        InputValueError, match=r"views\[1\]'s columns must be named and ordered as at fit; column 0 is 'c3'"
    ):
        fitted.transform([frames[0], frames[1][frames[1].columns[::-1]], frames[2]])


def test_moments_that_were_given_are_left_alone(views):
    moments = MultiviewMoments([6, 4, 5]).update(views)
    with pytest.raises(InputValueError, match="partial_fit cannot go on from fit_moments"):
        MultiviewCrossAlignment(2).fit_moments(moments).partial_fit(views)
    assert moments.n_samples == 500


def test_rows_of_a_chunk_too_small_to_solve_are_kept(views):
    chunked = MultiviewCrossAlignment(2)
    with pytest.raises(np.linalg.LinAlgError, match="5 rows cannot determine 6 columns"):
        chunked.partial_fit([view[:5] for view in views])
    chunked.partial_fit([view[5:] for view in views])
    assert chunked.weights_[0].tobytes() == MultiviewCrossAlignment(2).fit(views).weights_[0].tobytes()


def test_sumcor_beats_maxvar_and_random_directions_at_its_own_criterion(rng, views):
    k = 2
    bases = [whitened(view) for view in views]
    n = len(bases[0])

    def total(parts):
        return sum(np.trace(parts[i].T @ parts[j]) for i in range(3) for j in range(i)) / (n - 1)

    fitted = MultiviewCrossAlignment(k, criterion="sumcor").fit(views)
    scores = fitted.transform(views)
    for part in scores:
        assert np.abs(part.T @ part / (n - 1) - np.eye(k)).max() <= 1e-10
    best = total(scores)
    assert best == pytest.approx(3 * fitted.correlations_.sum(), rel=1e-10)
    for _ in range(300):
        others = [basis @ problems.orthogonal(rng, basis.shape[1])[:, :k] for basis in bases]
        assert total(others) < best
    for step in (1e-3, 1e-2, 1e-1):
        for _ in range(30):
            moved = []
            for basis, part in zip(bases, scores, strict=True):
                directions = basis.T @ part / (n - 1) + step * rng.standard_normal((basis.shape[1], k))
                moved.append(basis @ np.linalg.qr(directions)[0])
            signs = [np.sign(np.sum(m * s, axis=0)) for m, s in zip(moved, scores, strict=True)]
            assert total([m * s for m, s in zip(moved, signs, strict=True)]) <= best + 1e-9


def test_shared_signals_stand_out(views):
    fitted = MultiviewCrossAlignment().fit(views)
    # 500 rows of 15 columns: what independent views reach is below .3; the weaker shared signal has 1 / (1 + 1).
    assert (fitted.correlations_[:2] > 0.4).all()
    assert fitted.correlations_[2] < 0.3
    assert fitted.n_components_ == 4
    assert fitted.score(views) > 0


def test_chunks_shards_copies_and_pickles(views):
    whole = MultiviewCrossAlignment(2, ridge="auto").fit(views)
    chunked = clone(whole)
    for start in range(0, 500, 130):
        chunked.partial_fit([view[start : start + 130] for view in views])
        chunked = pickle.loads(pickle.dumps(chunked))
    shards = [
        MultiviewMoments([6, 4, 5], first_row=first).update([view[first : first + 250] for view in views])
        for first in (0, 250)
    ]
    merged = clone(whole).fit_moments(shards[1].merge(shards[0]))
    for other in (chunked, merged):
        for ours, theirs in zip(other.weights_, whole.weights_, strict=True):
            assert ours.tobytes() == theirs.tobytes()
    assert (whole.fit_transform(views)[0] == whole.transform(views)[0]).all()


def test_iteration_that_does_not_end_warns(views):
    with pytest.warns(ConvergenceWarning, match='criterion="sumcor" still rose by .* in sweep 1; raise max_iter'):
        MultiviewCrossAlignment(4, criterion="sumcor", max_iter=1).fit(views)


@pytest.mark.parametrize(
    ("parameters", "damage", "error", "message"),
    [
        ({"n_components": 5}, None, InputValueError, "at most 4, the columns of the narrowest view; got 5"),
        ({"criterion": "genvar"}, None, InputValueError, "criterion must be one of maxvar, sumcor; got 'genvar'"),
        ({"ridge": "cross_validation"}, None, InputValueError, 'a number, "auto" or "oas" for several views'),
        ({"max_iter": 0, "criterion": "sumcor"}, None, InputValueError, "max_iter must be at least 1"),
        ({}, lambda v: v[:1], InputValueError, "views must hold at least 2 views; got 1"),
        ({}, lambda v: v[0], InputTypeError, "views must be a list of arrays, one a view; got ndarray"),
        ({}, lambda v: [v[0], v[1][:-1]], InputValueError, "same number of rows"),
        ({}, lambda v: [v[0], v[1] * np.nan], InputValueError, r"views\[1\] must be finite; got nan at row 0"),
        ({}, lambda v: [v[0], np.hstack([v[1], v[1]])], np.linalg.LinAlgError, r"views\[1\] is singular \(rank 4 of 8"),
    ],
)
def test_bad_input_gets_a_sentence(views, parameters, damage, error, message):
    with pytest.raises(error, match=message):
        MultiviewCrossAlignment(**parameters).fit(views if damage is None else damage(views))


def test_other_columns_than_fitted_are_refused(views):
    fitted = MultiviewCrossAlignment(2).fit(views)
    with pytest.raises(InputValueError, match="views must hold 3 views, as when fitted; got 2"):
        fitted.transform(views[:2])
    with pytest.raises(InputValueError, match=r"views\[2\] has 4 columns, but was fitted with 5"):
        fitted.transform([*views[:2], views[1]])
    with pytest.raises(InputTypeError, match="moments must be a MultiviewMoments; got list"):
        fitted.fit_moments([])
    with pytest.raises(InputValueError, match="at least 2 views; got 1"):
        MultiviewMoments([3])

"""The estimators by scikit-learn's own rules, and what its users do with them; on real data where that matters."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from crossphase import CrossAlignment, CrossMoments, CrossPrediction, InputTypeError, InputValueError, JointObjective
from crossphase.demo_data import load_demo

ESTIMATORS = [CrossAlignment, CrossPrediction, JointObjective]
VARIANTS = [
    CrossAlignment(),
    CrossAlignment(normalization="cross_moment"),
    CrossAlignment(ridge="auto"),
    CrossPrediction(),
    CrossPrediction(ridge="oas"),
    JointObjective(),
    JointObjective(alignment_weight=0.0),
    JointObjective(alignment_weight=np.inf, ridge="ledoit_wolf"),
]


@parametrize_with_checks(VARIANTS)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_at_least_fifty_checks_run_and_none_is_excused(estimator):
    results = check_estimator(estimator(), on_skip=None, on_fail=None)
    passed = [r["check_name"] for r in results if r["status"] == "passed"]
    assert len(passed) >= 50
    skipped = [r["check_name"] for r in results if r["status"] == "skipped"]
    assert set(skipped) <= {"check_array_api_input"}  # scikit-learn's own switch, SCIPY_ARRAY_API
    assert len(passed) + len(skipped) == len(results)


@pytest.fixture
def pair(rng):
    n = 300
    shared = rng.standard_normal((n, 3))
    X = np.hstack([shared, np.zeros((n, 4))]) + rng.standard_normal((n, 7)) + 3
    Y = np.hstack([shared * [3, 2, 1], np.zeros((n, 2))]) + rng.standard_normal((n, 5)) - 1
    return X, Y


@pytest.fixture(scope="module")
def digits():
    X, Y, classes = load_demo()
    return train_test_split(X, Y, classes, test_size=0.3, random_state=0, stratify=classes)


def test_in_a_pipeline_with_a_probe_behind(digits):
    """Images aligned with a second description of them; a probe learns on what is shared."""
    X_train, X_test, Y_train, _, labels, test_labels = digits
    aligned = make_pipeline(StandardScaler(), CrossAlignment(n_components=15, ridge="auto"))
    scores = aligned.fit_transform(X_train, Y_train)
    probe = LogisticRegression(max_iter=2000).fit(scores, labels)
    accuracy = probe.score(aligned.transform(X_test), test_labels)
    raw = LogisticRegression(max_iter=2000).fit(StandardScaler().fit_transform(X_train), labels)
    assert accuracy > 0.7  # ten classes
    assert accuracy > raw.score(StandardScaler().fit(X_train).transform(X_test), test_labels) - 0.1


def test_grid_search_finds_a_ridge(digits):
    X, _, Y, *_ = digits
    search = GridSearchCV(
        make_pipeline(StandardScaler(), CrossAlignment(5)), {"crossalignment__ridge": [0.0, 0.1, 1e3]}, cv=3
    )
    search.fit(X[:400], Y[:400])
    assert search.best_params_["crossalignment__ridge"] in {0.0, 0.1}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert cross_val_score(CrossPrediction(5, ridge=0.1), X, Y, cv=3).min() > 0.2  # the mean alone would score 0


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_state_survives_pickling_and_copying(estimator, pair):
    X, Y = pair
    fitted = estimator(2).partial_fit(X[:200], Y[:200])
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        other.partial_fit(X[200:], Y[200:])
        assert other.coef_.tobytes() == estimator(2).fit(X, Y).coef_.tobytes()
    fresh = clone(fitted)
    with pytest.raises(NotFittedError):
        fresh.predict(X)
    with pytest.raises(NotFittedError):
        _ = fresh.weights_x_
    assert not hasattr(fresh, "coef_")


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("ridge", [0.1, "oas", "auto"])
@pytest.mark.parametrize("chunk", [1, 7, 299])
def test_chunks_make_no_difference(estimator, ridge, chunk, pair):
    X, Y = pair
    whole, chunked = estimator(2, ridge=ridge).fit(X, Y), estimator(2, ridge=ridge)
    for start in range(0, len(X), chunk):
        chunked.partial_fit(X[start : start + chunk], Y[start : start + chunk])
    assert chunked.coef_.tobytes() == whole.coef_.tobytes()
    assert chunked.regularization_ == whole.regularization_
    assert chunked.fit(X[:50], Y[:50]).moments_[0].n_samples < 300  # fit begins anew


def test_early_chunks_may_be_too_small_to_solve(pair):
    X, Y = pair
    early = CrossAlignment().partial_fit(X[:3], Y[:3])
    with pytest.raises(np.linalg.LinAlgError, match=r"covariance of X is singular \(rank 2 of 7"):
        _ = early.weights_x_
    assert early.partial_fit(X[3:], Y[3:]).weights_x_.shape == (7, 5)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_merged_shards_are_enough(estimator, pair):
    X, Y = pair
    shards = [CrossMoments(7, 5, first_row=first).update(X[first:][:100], Y[first:][:100]) for first in (0, 100, 200)]
    whole = estimator(2).fit(X, Y)
    merged = estimator(2).fit_moments(shards[1].merge(shards[2]).merge(shards[0]))
    assert merged.coef_.tobytes() == whole.coef_.tobytes()
    assert (merged.predict(X) == whole.predict(X)).all()


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_data_frames_in_and_out(container, pair):
    X, Y = pair
    module = pytest.importorskip(container)
    frame_x = module.DataFrame({f"pixel{i}": X[:, i] for i in range(7)})
    frame_y = module.DataFrame({f"sound{i}": Y[:, i] for i in range(5)})
    fitted = CrossAlignment(3).fit(frame_x, frame_y).set_output(transform=container)
    assert list(fitted.feature_names_in_) == [f"pixel{i}" for i in range(7)]
    assert list(fitted.get_feature_names_out()) == ["crossalignment0", "crossalignment1", "crossalignment2"]
    scores = fitted.transform(frame_x)
    assert list(scores.columns) == list(fitted.get_feature_names_out())
    assert (np.asarray(scores) == CrossAlignment(3).fit(X, Y).transform(X)).all()
    assert list(fitted.transform_y(frame_y).columns) == list(fitted.get_feature_names_out())


def test_columns_of_y_must_come_in_the_same_order(pair):
    X, Y = pair
    frame = pd.DataFrame(Y, columns=list("abcde"))
    fitted = CrossPrediction(2).fit(X, frame)
    with pytest.raises(InputValueError, match="column 0 is 'b' and was 'a'"):
        fitted.transform_y(frame[list("bacde")])
    with pytest.raises(InputValueError, match="Y has 4 features, but CrossPrediction was fitted with 5"):
        fitted.transform_y(Y[:, :4])
    with pytest.raises(InputValueError, match="Y has 4 features"):
        fitted.partial_fit(X, Y[:, :4])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_other_types_are_read_as_the_numbers_they_are(estimator, dtype, pair):
    X, Y = ((10 * side).astype(dtype) for side in pair)
    ours = estimator(2).fit(X, Y)
    exact = estimator(2).fit(X.astype(float), Y.astype(float))
    assert ours.coef_.tobytes() == exact.coef_.tobytes()
    assert (ours.transform(X) == exact.transform(X.astype(float))).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_backends_and_threads_agree(estimator, pair):
    X, Y = pair
    cpu = estimator(2).fit(X, Y)
    assert estimator(2, n_threads=1).fit(X, Y).coef_.tobytes() == estimator(2, n_threads=3).fit(X, Y).coef_.tobytes()
    reference = estimator(2, backend="reference").fit(X, Y)
    # Moments of 300 rows differ by 300 u; inverting covariances of condition below 100 makes it 1e2 times more.
    assert np.abs(cpu.coef_ - reference.coef_).max() <= 300 * 2.0**-53 * 1e4


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_states_that_cannot_go_on_say_so(estimator, pair):
    X, Y = pair
    moments = CrossMoments(7, 5).update(X, Y)
    fitted = estimator(2).fit_moments(moments)
    with pytest.raises(InputValueError, match="partial_fit cannot go on from fit_moments"):
        fitted.partial_fit(X, Y)
    for wrong, error, words in (
        ([], InputValueError, "empty list"),
        (X, InputTypeError, r"cov_xx.*got ndarray.*fit\(X, Y\)"),
        (CrossMoments(7, 5), InputValueError, "at least 2 samples; this CrossMoments holds 0"),
        ([moments, CrossMoments(7, 4).update(X, Y[:, :4])], InputValueError, r"same columns.*\(7, 4\), \(7, 5\)"),
    ):
        with pytest.raises(error, match=words):
            estimator(2).fit_moments(wrong)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_bad_rows_and_parameters_get_a_sentence(estimator, pair):
    X, Y = pair
    with pytest.raises(InputValueError, match=r"n_components must be at most 5.*X has 7, Y has 5"):
        estimator(6).fit(X, Y)
    with pytest.raises(InputValueError, match=r"ridge must be a number >= 0 or one of auto"):
        estimator(ridge="none").fit(X, Y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        estimator().fit(X, Y[:-1])
    holed = X.copy()
    holed[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        estimator().fit(holed, Y)
    with pytest.raises(np.linalg.LinAlgError, match=r"covariance of X is singular \(rank 6 of 7.*constant.*ridge > 0"):
        estimator().fit(X * np.array([1, 1, 0, 1, 1, 1, 1]), Y)
    if estimator is not CrossPrediction:  # which inverts the covariance of X alone
        with pytest.raises(np.linalg.LinAlgError, match=r"covariance of Y is singular \(rank 4 of 5"):
            estimator().fit(X, Y[:, [0, 0, 2, 3, 4]])


DEGENERATE = {
    "one-hot": lambda rng: tuple(np.eye(5)[rng.integers(0, 5, (2, 300))]),
    "p and q above n": lambda rng: (rng.standard_normal((20, 30)), rng.standard_normal((20, 25))),
    "three rows": lambda rng: (rng.standard_normal((3, 3)), rng.standard_normal((3, 3))),
    "repeated columns": lambda rng: tuple(np.hstack([side, side]) for side in rng.standard_normal((2, 60, 4))),
}


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("ridge", [1e-8, 1e-3, "auto", "oas"])
@pytest.mark.parametrize("data", DEGENERATE)
def test_a_ridge_makes_sense_of_views_without_full_rank(rng, estimator, ridge, data):
    X, Y = DEGENERATE[data](rng)
    fitted = estimator(ridge=ridge).fit(X, Y)
    rank = np.linalg.matrix_rank(np.cov(X, rowvar=False), tol=1e-10)
    assert 1 <= fitted.n_components_ <= rank
    for scores in (fitted.transform(X), fitted.predict(X)):
        assert np.isfinite(scores).all()
    assert (
        np.abs(fitted.transform(X).std(axis=0, ddof=1) - 1).max() <= 1e-6
    )  # u times the condition that the ridge leaves
    if estimator is CrossAlignment:
        # Scores of a covariance of condition 1e8, the ridge's inverse, keep half of their digits.
        assert (np.abs(fitted.correlations_) <= 1 + 1e-6).all()
        assert np.abs(fitted.correlations(X, Y) - fitted.correlations_).max() <= 1e-6


@pytest.mark.parametrize("rule", ["oas", "ledoit_wolf"])
@pytest.mark.parametrize(("n", "p"), [(20, 200), (30, 50), (50, 200)])
def test_shrunk_covariances_do_not_overshoot(rng, rule, n, p):
    X = rng.standard_normal((2 * n, p))
    Y = X @ rng.standard_normal((p, 2)) / np.sqrt(p) + rng.standard_normal((2 * n, 2))
    fitted = CrossPrediction(ridge=rule).fit(X[:n], Y[:n])
    assert 0 <= fitted.score(X[:n], Y[:n]) <= 1
    assert fitted.score(X[n:], Y[n:]) > -1  # least squares on two scores, fitted to n rows of p columns


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_failed_fit_changes_nothing(estimator, pair):
    X, Y = pair
    singular = np.hstack([X, X[:, :1]])
    fresh = estimator()
    with pytest.raises(np.linalg.LinAlgError, match=r"columns? .* follow"):
        fresh.fit(singular, Y)
    with pytest.raises(NotFittedError):
        fresh.transform(X)
    fitted = estimator(2).fit(X, Y)
    before = fitted.transform(X)
    for attempt in (
        lambda: fitted.fit(singular, Y),
        lambda: fitted.fit_moments(CrossMoments(8, 5).update(singular, Y)),
    ):
        with pytest.raises(np.linalg.LinAlgError):
            attempt()
        assert fitted.n_features_in_ == 7
        assert (fitted.transform(X) == before).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_moments_that_were_given_are_left_alone(estimator, pair):
    X, Y = pair
    moments = CrossMoments(7, 5).update(X, Y)
    fitted = estimator(2).fit(X, Y).fit_moments(moments)
    with pytest.raises(InputValueError, match="partial_fit cannot go on from fit_moments"):
        fitted.partial_fit(X, Y)
    assert moments.n_samples == len(X)


def test_parameters_are_checked_before_a_deferred_solve(pair):
    fitted = CrossAlignment(2).partial_fit(*pair).set_params(normalization="long")
    with pytest.raises(InputValueError, match="normalization must be one of"):
        _ = fitted.weights_x_
    fitted.set_params(normalization="unit_variance", ridge="cross_validation")
    with pytest.raises(InputValueError, match="got one; pass a list of CrossMoments"):
        _ = fitted.weights_x_


def test_causes_of_a_singular_covariance_are_named(pair):
    X, Y = pair
    with pytest.raises(np.linalg.LinAlgError, match="6 rows cannot determine 7 columns"):
        CrossPrediction().fit(X[:6], Y[:6])
    damaged = X.copy()
    damaged[:, [1, 4]] = 3.0
    with pytest.raises(np.linalg.LinAlgError, match=r"rank 5 of 7 .*Its columns 1, 4 are constant\."):
        CrossPrediction().fit(damaged, Y)
    damaged = np.hstack([X, X[:, :2] @ [[1.0], [2.0]]])
    with pytest.raises(np.linalg.LinAlgError, match=r"rank 7 of 8 .*Its column [017] follows from the others\."):
        CrossPrediction().fit(damaged, Y)
    with pytest.raises(np.linalg.LinAlgError, match=r"X is constant: none of its columns varies"):
        CrossPrediction(ridge=0.1).fit(np.ones_like(X), Y)


def test_labels_in_the_place_of_the_other_view_are_recognized(pair):
    with pytest.raises(InputValueError, match="Y is the other view; labels belong to the probe behind"):
        CrossAlignment(5).fit(pair[0], np.arange(300) % 4)


def test_bfloat16_is_told_where_to_go(pair):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    X, Y = (side.astype(ml_dtypes.bfloat16) for side in pair)
    with pytest.raises(InputTypeError, match=r'X is bfloat16.*astype\("float32"\).*fit_moments'):
        CrossAlignment(2).fit(X, Y)
    assert CrossAlignment(2).fit_moments(CrossMoments(7, 5).update(X, Y)).n_components_ == 2


BYTES = """
import hashlib, numpy as np
from crossphase import CrossAlignment, CrossPrediction, JointObjective, MultiviewCrossAlignment, align_and_predict, cross_moments
X, Y = (((np.arange(700 * p) * m) % 1009 / 1009.0).reshape(700, p) for p, m in ((517, 7919), (333, 104729)))
found = []
for estimator in (CrossAlignment, CrossPrediction, JointObjective):
    for ridge in (0.1, "oas", "ledoit_wolf"):
        fitted = estimator(20, ridge=ridge).fit(X, Y)
        found += [fitted.weights_x_, fitted.weights_y_, fitted.coef_, fitted.predict(X[:50])]
found += MultiviewCrossAlignment(5, ridge="auto").fit([X, Y]).weights_
both = align_and_predict(cross_moments(X, Y), n_components=20, ridge=0.1)
found += [both.alignment.weights_x, both.prediction.weights_x]
print(hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in found)).hexdigest())
"""


def test_bytes_do_not_depend_on_threads_of_blas_or_ours(run_python):
    runs = [
        run_python(BYTES, time_limit=300, OPENBLAS_NUM_THREADS=blas, CROSSPHASE_NUM_THREADS=ours)
        for blas, ours in (("1", "1"), ("2", "1"), ("2", "2"))
    ]
    for run in runs:
        assert run.returncode == 0, run.stderr
    assert len({run.stdout for run in runs}) == 1

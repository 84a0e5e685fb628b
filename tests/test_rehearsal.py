"""The rehearsal: probes against scikit-learn, heads against plain NumPy, intervals against simulation, known winners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import balanced_accuracy_score, r2_score

from crossphase import InputTypeError, InputValueError
from crossphase.fold_moments import fold_moments
from crossphase.objectives import Objective
from crossphase.rehearsal import AtUse, BudgetRehearsal, Candidate, Rehearsal, decide, rehearse
from crossphase.rehearsal.candidates import INPUT_SHARE, fit_heads
from crossphase.rehearsal.decision import posterior
from crossphase.rehearsal.probes import predict_classes, predict_values
from crossphase.rehearsal.ridge_choice import choose_ridge
from crossphase.rehearsal.scoring import Resample, score_classes, score_values


def classes_of(signal: np.ndarray, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    logits = 3 * signal @ rng.standard_normal((signal.shape[1], n_classes))
    return np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)


# Probes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d", "n_classes"), [(80, 300, 5), (300, 40, 10), (500, 6, 2)])
def test_logistic_probe_is_scikit_learns(rng, n, d, n_classes):
    features = rng.standard_normal((n + 2000, d))
    codes = classes_of(features[:, :5], n_classes, rng)
    ours = predict_classes(features[:n], codes[:n], features[n:])
    theirs = LogisticRegression(C=0.1, max_iter=5000, tol=1e-8).fit(features[:n], codes[:n]).predict(features[n:])
    # Stopped within a thousandth of the optimum, the probe differs in rows near a boundary, not in accuracy: by less than
    # two standard errors of the accuracy of the rows they disagree on.
    disagree = np.mean(ours != theirs)
    assert disagree < 0.15
    gap = np.mean(ours == codes[n:]) - np.mean(theirs == codes[n:])
    assert abs(gap) < 2 * np.sqrt(max(disagree, 1 / 2000) / 2000) + 0.002


@pytest.mark.parametrize(("n", "d"), [(60, 200), (300, 20)])
def test_ridge_probe_is_scikit_learns(rng, n, d):
    features = rng.standard_normal((n + 50, d))
    values = features[:, 0] + 0.3 * rng.standard_normal(n + 50) + 5
    ours = predict_values(features[:n], values[:n], features[n:])
    np.testing.assert_allclose(ours, Ridge(alpha=1.0).fit(features[:n], values[:n]).predict(features[n:]), rtol=1e-8)


def test_a_single_class_is_all_there_is_to_predict(rng):
    assert (predict_classes(rng.standard_normal((5, 3)), np.full(5, 7), rng.standard_normal((4, 3))) == 7).all()


# Scores ----------------------------------------------------------------------------------------------------------------


def test_scores_are_scikit_learns(rng):
    codes, guesses = rng.integers(0, 4, 200), rng.integers(0, 4, (3, 200))
    resamples = [
        Resample(rows, (guesses[:, rows] == codes[rows]).astype(float), 100) for rows in np.split(np.arange(200), 5)
    ]
    found = score_classes(resamples, codes, None, 0.5)
    np.testing.assert_allclose(found.values, [balanced_accuracy_score(codes, g) for g in guesses], rtol=1e-12)
    values = rng.standard_normal(200)
    predictions = values * np.array([[0.9], [0.5], [0.0]])
    resamples = [
        Resample(rows, (predictions[:, rows] - values[rows]) ** 2, 100) for rows in np.split(np.arange(200), 5)
    ]
    found = score_values(resamples, values, None, 0.5)
    np.testing.assert_allclose(found.values, [r2_score(values, p) for p in predictions], rtol=1e-12)


@pytest.mark.parametrize("cluster", [1, 5])
def test_paired_intervals_cover(rng, cluster):
    """Hits of two candidates that share part of their luck, in clusters of equal rows: the interval of the difference."""
    n, truth, covered = 400, 0.15, []
    codes = np.repeat(np.arange(4), n // 4)
    groups = np.arange(n) // cluster
    for _ in range(400):
        luck, shared = (np.repeat(rng.random((3, n // cluster)), cluster, axis=1) for _ in range(2))
        common = shared[0] < 0.5
        hits = np.array([np.where(common, luck[2], luck[i]) < rate for i, rate in enumerate((0.7, 0.55))], dtype=float)
        resamples = [Resample(rows, hits[:, rows], 100) for rows in np.split(rng.permutation(n), 5)]
        scores = score_classes(resamples, codes, groups if cluster > 1 else None, 0.8)
        part = BudgetRehearsal(None, 100, (Candidate.X, Candidate.Y), scores.values, scores.covariance)
        gain = part.difference("x", "y")
        covered.append(gain.low <= truth <= gain.high)
    # Binomial error of 400 draws is 1.1 %; the training part, clipped at 0, makes intervals a little too wide at most.
    assert 0.95 - 3 * 0.011 < np.mean(covered) <= 1.0


# Heads -----------------------------------------------------------------------------------------------------------------


def test_heads_are_the_closed_forms_of_the_training_rows(rng):
    n, width, ridge = 400, 6, 0.5
    shared = rng.standard_normal((n, 3))
    X = np.hstack([shared + rng.standard_normal((n, 3)), rng.standard_normal((n, 9))]) * np.geomspace(1, 100, 12)
    Y = np.hstack([shared + rng.standard_normal((n, 3)), rng.standard_normal((n, 5))]) + 7
    folds = np.arange(n) % 4
    heads = fit_heads(fold_moments(X, Y, folds).train(1), width=width, ridge=ridge)
    x, y = ((v - v[folds != 1].mean(0)) / v[folds != 1].std(0, ddof=1) for v in (X, Y))
    np.testing.assert_allclose(heads.standardize(X, Y)[0], x, rtol=1e-9, atol=1e-10)
    xt, yt = x[folds != 1], y[folds != 1]
    m = len(xt) - 1

    def root(c):
        values, axes = np.linalg.eigh(c)
        return (axes / np.sqrt(values)) @ axes.T

    wx, wy = root(xt.T @ xt / m + ridge * np.eye(12)), root(yt.T @ yt / m + ridge * np.eye(8))
    u, s, vt = np.linalg.svd(wx @ (xt.T @ yt / m) @ wy)
    for candidate, rows, weights in (
        (Candidate.CA_X, xt, wx @ u[:, :width] * s[:width]),
        (Candidate.CA_Y, yt, wy @ vt[:width].T * s[:width]),
    ):
        expected = rows @ weights
        expected *= np.sqrt(width / expected.var(axis=0, ddof=1).sum())
        found = heads.features(candidate, xt, yt)
        np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-8)  # a score has no sign
    assert heads.features(Candidate.CA, xt, yt).shape == (len(xt), 2 * width)
    # Prediction: directions of X by sqrt(gain), turned, plus a random start: the learned part is found by regression on it.
    u, s, _ = np.linalg.svd(wx @ (xt.T @ yt / m))
    learned = wx @ u[:, :width] * np.sqrt(s[:width])
    weights = heads.weights[Candidate.CP]
    outputs = xt @ weights
    assert outputs.var(axis=0, ddof=1).sum() == pytest.approx(
        width, rel=0.6
    )  # the two parts may add or cancel by chance
    scale = np.sqrt((1 - INPUT_SHARE) * width / (xt @ learned).var(axis=0, ddof=1).sum())
    generator = np.random.default_rng(0)
    rotation = np.linalg.qr(generator.standard_normal((width, width)))[0].T
    start = generator.standard_normal((12, width))
    start *= np.sqrt(INPUT_SHARE * width / (xt @ start).var(axis=0, ddof=1).sum())
    signs = np.sign(np.sum(learned * scale * ((weights - start) @ rotation.T), axis=0))
    np.testing.assert_allclose(weights, learned * scale * signs @ rotation + start, atol=1e-8)


def test_ridge_is_the_best_on_the_inner_fold(rng):
    n, ridges = 90, (1e-3, 0.1, 10.0)
    shared = rng.standard_normal((n, 2))
    X = np.hstack([shared + rng.standard_normal((n, 2)), rng.standard_normal((n, 40))])
    Y = np.hstack([shared + rng.standard_normal((n, 2)), rng.standard_normal((n, 3))])
    folds = np.arange(n) % 3
    train, inner = folds == 2, folds == 1  # fold 0 is held out
    x, y = ((v - v[train].mean(0)) / v[train].std(0, ddof=1) for v in (X, Y))
    losses = []
    for ridge in ridges:
        loss = 0.0
        for source, target in ((x, y), (y, x)):
            p, m = source.shape[1], train.sum() - 1
            weights = np.linalg.solve(
                source[train].T @ source[train] / m + ridge * np.eye(p), source[train].T @ target[train] / m
            )
            residuals = target[inner] - source[inner] @ weights
            loss += residuals.var(axis=0, ddof=1).sum() / target[inner].var(axis=0, ddof=1).sum()
        losses.append(loss)
    assert choose_ridge(fold_moments(X, Y, folds), 0, ridges) == ridges[int(np.argmin(losses))]
    assert np.argmin(losses) > 0  # 42 columns from 30 rows want a ridge
    assert choose_ridge(fold_moments(X, Y, folds % 2), 0, ridges) == 10.0


def test_dead_columns_are_ignored(rng):
    n = 300
    X = rng.standard_normal((n, 6)).astype(np.float16)
    Y = rng.standard_normal((n, 5)).astype(np.float32)
    labels = (X[:, 0] > 0).astype(int)
    plain = rehearse(X, Y, labels, label_budgets=(None,))
    dead = np.hstack([X, np.full((n, 1), 3, dtype=np.float16)])
    faint = np.hstack([Y, np.float32(4e-9) * rng.standard_normal((n, 1)).astype(np.float32)])
    found = rehearse(dead, faint, labels, label_budgets=(None,))
    for candidate in (Candidate.X, Candidate.Y, Candidate.CONCAT):
        assert found.budgets[0].score(candidate).value == pytest.approx(plain.budgets[0].score(candidate).value)
    assert np.isfinite(found.budgets[0].scores).all()


# Known winners ---------------------------------------------------------------------------------------------------------


def test_alignment_wins_where_few_labels_meet_private_noise(rng):
    n = 3000
    s = rng.standard_normal((n, 3))
    X = np.hstack([s + 0.5 * rng.standard_normal((n, 3)), rng.standard_normal((n, 80))])
    Y = np.hstack([s + 0.5 * rng.standard_normal((n, 3)), rng.standard_normal((n, 80))])
    rehearsal = rehearse(X, Y, classes_of(s, 5, rng), label_budgets=(50,))
    part = rehearsal.at(50)
    assert part.difference("ca", "concat").low > 0
    assert decide(rehearsal, 50).objective is Objective.ALIGN
    assert decide(rehearsal, 50).gain_over_concat.low > 0


def test_prediction_wins_over_alignment_where_shared_nuisance_is_small_in_the_target(rng):
    """Nuisance correlates best (alignment takes it first) and makes up one column of Y in 40; the signal makes up the rest."""
    n = 3000
    s, nuisance = rng.standard_normal((n, 2)), rng.standard_normal((n, 2))
    X = np.hstack([s + 0.9 * rng.standard_normal((n, 2)), nuisance])
    Y = np.hstack(
        [s @ rng.standard_normal((2, 38)) + rng.standard_normal((n, 38)), nuisance + 0.1 * rng.standard_normal((n, 2))]
    )
    part = rehearse(X, Y, classes_of(s, 5, rng), n_components=2, ridge=1e-3, label_budgets=(100,)).at(100)
    assert part.difference("cp", "ca_x").low > 0


def test_a_single_view_wins_where_the_other_is_noise(rng):
    n = 3000
    X = rng.standard_normal((n, 4))
    Y = rng.standard_normal((n, 400))
    rehearsal = rehearse(X, Y, classes_of(X, 5, rng), label_budgets=(100,))
    found = decide(rehearsal, 100)
    assert found.objective is Objective.SINGLE_MODALITY_X
    assert found.gain_over_concat.low > 0
    assert decide(replace(rehearsal, at_use=AtUse.X), 100).objective is Objective.SINGLE_MODALITY_X


@pytest.mark.parametrize("n", [60, 1000])
def test_labels_of_noise_are_no_gain(rng, n):
    """More columns than rows, heads fitted to the training pairs, ridges chosen: none of it may see a held-out label."""
    s = rng.standard_normal((n, 5))
    X = np.hstack([s, rng.standard_normal((n, 95))])
    Y = np.hstack([s, rng.standard_normal((n, 45))])
    rehearsal = rehearse(X, Y, rng.integers(0, 4, n), label_budgets=(100, None))
    for part in rehearsal.budgets:
        for candidate in part.candidates:
            score = part.score(candidate)
            assert abs(score.value - 0.25) < 4 * score.standard_error
    assert decide(rehearsal).objective is Objective.UNDECIDED


def test_measurements_are_judged_by_r2(rng):
    n = 800
    s = rng.standard_normal((n, 2))
    X = np.hstack([s + 0.3 * rng.standard_normal((n, 2)), rng.standard_normal((n, 5))])
    Y = rng.standard_normal((n, 6))
    rehearsal = rehearse(X, Y, s[:, 0], label_budgets=(300,))
    assert rehearsal.metric == "r2"
    assert rehearsal.chance == 0
    # R² of s from s + 0.3 noise is 1 / 1.09; 300 labels and 7 columns cost about 7 / 300 of the rest.
    assert rehearsal.at(300).score("x").value == pytest.approx(1 / 1.09, abs=0.03)
    assert rehearsal.at(300).score("y").value < 0.05


# What users bring ------------------------------------------------------------------------------------------------------


def test_few_labels_among_many_pairs(rng):
    n = 2000
    s = rng.standard_normal((n, 3))
    X, Y = s @ rng.standard_normal((3, 30)) + rng.standard_normal((n, 30)), s + rng.standard_normal((n, 3))
    labels = classes_of(s, 4, rng)
    rows = rng.choice(n, 150, replace=False)
    found = rehearse(X, Y, labels[rows], labelled_rows=rows)
    assert found.n_labelled == 150
    assert found.n_folds == 10
    assert found.at(300).n_train_labels == pytest.approx(135)
    np.testing.assert_array_equal(found.at(300).scores, found.at(None).scores)  # neither leaves anything to draw


def test_rare_classes_and_more_classes_than_labels(rng):
    n = 400
    X, Y = rng.standard_normal((n, 5)), rng.standard_normal((n, 4))
    labels = np.r_[np.arange(60), np.arange(60), rng.integers(0, 60, n - 120)]
    found = rehearse(X, Y, labels, label_budgets=(20, None))
    assert all(np.isfinite(part.scores).all() and np.isfinite(part.covariance).all() for part in found.budgets)


def test_groups_never_straddle(rng):
    """Duplicates in groups: with them known, features that only identify the group score as chance."""
    n = 600
    groups = np.repeat(np.arange(n // 6), 6)
    X = rng.standard_normal((n // 6, 40))[groups]
    Y = rng.standard_normal((n // 6, 30))[groups]
    labels = rng.integers(0, 2, n // 6)[groups]
    with_groups, without = (rehearse(X, Y, labels, groups=g, label_budgets=(None,)).at(None) for g in (groups, None))
    assert without.score("concat").value > 0.9
    assert abs(with_groups.score("concat").value - 0.5) < 4 * with_groups.score("concat").standard_error
    assert with_groups.score("concat").standard_error > 1.5 * without.score("concat").standard_error


def test_threads_and_seeds(rng):
    n = 300
    X, Y = rng.standard_normal((n, 8)), rng.standard_normal((n, 6))
    labels = (X[:, 0] + Y[:, 0] > 0).astype(int)
    one, two, other = (
        rehearse(X, Y, labels, label_budgets=(50,), n_threads=t, rng=seed).at(50).scores
        for t, seed in ((1, 0), (2, 0), (1, 1))
    )
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


# Decisions -------------------------------------------------------------------------------------------------------------


def rehearsal_of(scores: dict[str, float], error: float, at_use: str = "both", n_labels: float = 300) -> Rehearsal:
    """A made-up rehearsal: what is not named scores 0.5; errors are independent."""
    values = np.array([scores.get(c, 0.5) for c in Candidate])
    part = BudgetRehearsal(None, n_labels, tuple(Candidate), values, np.eye(len(values)) * error**2)
    return Rehearsal(AtUse(at_use), "balanced_accuracy", 0.1, (part,), (1.0,), 64, 1000, 1000, 5)


def test_certain_scores_decide():
    found = decide(rehearsal_of({"x": 0.8, "concat": 0.85}, 1e-4))
    assert found.objective is Objective.CONCATENATE
    assert found.gain_over_best_single.value == pytest.approx(0.05, abs=1e-3)
    assert decide(rehearsal_of({"x": 0.8, "concat": 0.7}, 1e-4)).objective is Objective.SINGLE_MODALITY_X
    assert decide(rehearsal_of({"y": 0.8, "concat": 0.7}, 1e-4)).objective is Objective.SINGLE_MODALITY_Y
    assert decide(rehearsal_of({"x": 0.6, "concat": 0.65, "cp": 0.9}, 1e-4)).objective is Objective.PREDICT_Y_FROM_X
    assert (
        decide(rehearsal_of({"x": 0.6, "concat": 0.65, "cp_reverse": 0.9}, 1e-4)).objective
        is Objective.PREDICT_X_FROM_Y
    )


def test_a_lucky_cross_modal_score_is_not_enough():
    """One point above the better view, with an error of four: not advised. Nor one point below, without error."""
    others = {str(c): 0.80 for c in Candidate}
    assert not decide(rehearsal_of({**others, "y": 0.7, "ca": 0.81}, 0.04)).objective.is_cross_modal
    assert not decide(rehearsal_of({**others, "cp": 0.79}, 1e-4, "x")).objective.is_cross_modal


def test_risk_bounds_what_is_advised():
    lucky = rehearsal_of({"x": 0.60, "y": 0.5, "concat": 0.64, "cp": 0.64}, 0.02, "x")
    assert decide(lucky, most_risk=1.0).objective is Objective.PREDICT_Y_FROM_X
    risk = decide(lucky, most_risk=1.0).risk
    assert decide(lucky, most_risk=risk * 0.99).objective is Objective.SINGLE_MODALITY_X
    assert decide(lucky, most_risk=risk * 1.01).objective is Objective.PREDICT_Y_FROM_X


def test_only_views_at_use_are_advised():
    everything = {"y": 0.99, "concat": 0.99, "ca": 0.99, "cp_reverse": 0.99, "ca_y": 0.99, "x": 0.5}
    assert decide(rehearsal_of(everything, 1e-4, "x")).objective in (
        Objective.SINGLE_MODALITY_X, Objective.PREDICT_Y_FROM_X, Objective.ALIGN, Objective.JOINT,
    )  # fmt: skip
    assert decide(rehearsal_of(everything, 1e-4, "x")).gain_over_concat is None


def test_posterior_is_the_textbooks():
    """With no error of the closed forms to speak of and a certain rehearsal, the frozen views keep their scores; with none of
    its certainty, differences go back to the prior's."""
    part = rehearsal_of({"x": 0.7, "y": 0.6, "concat": 0.75}, 1e-5).budgets[0]
    mean, covariance = posterior(part)
    np.testing.assert_allclose(mean[:3], [0.7, 0.6, 0.75], atol=1e-4)
    assert (np.linalg.eigvalsh(covariance) > -1e-9).all()
    mean, _ = posterior(rehearsal_of({"x": 0.7, "y": 0.6, "concat": 0.75}, 100.0).budgets[0])
    assert mean[0] - mean[2] == pytest.approx(-0.09, abs=1e-3)


def test_every_reason_names_numbers():
    for scores in ({"x": 0.8, "concat": 0.85}, {"x": 0.8, "concat": 0.7}, {"concat": 0.5, "ca": 0.9}):
        for use in AtUse:
            reason = decide(rehearsal_of(scores, 1e-3, use)).reason
            assert reason.endswith(".")
            assert "points" in reason or "frozen" in reason


# Bad input -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"at_use": "z"}, InputValueError, "at_use must be one of x, y, both; got 'z'"),
        ({"ridge": 0}, InputValueError, "ridge must be a finite number > 0"),
        ({"ridge": ()}, InputValueError, "ridge must be a number > 0 or several"),
        ({"label_budgets": ()}, InputValueError, "label_budgets must name at least one"),
        ({"label_budgets": (1,)}, InputValueError, "must be at least 2; got 1"),
        ({"label_budgets": 100}, InputTypeError, "label_budgets must be a sequence"),
        ({"n_components": 0}, InputValueError, "n_components must be at least 1"),
        ({"labelled_rows": np.arange(5)}, InputValueError, "one value for each of the 5 labelled rows; got 40"),
        ({"labelled_rows": np.zeros(40, dtype=int)}, InputValueError, "must not name a row twice"),
        ({"labelled_rows": np.ones(40, dtype=bool)}, InputValueError, r"np.flatnonzero\(mask\)"),
        ({"labelled_rows": np.arange(1, 41)}, InputValueError, r"must be in \[0, 40\); got 40 at position 39"),
        ({"groups": np.zeros(40)}, InputValueError, "got 1 group for 2 folds"),
        ({"n_folds": 25}, InputValueError, "at least 2 rows in each"),
        ({"rng": "a"}, InputTypeError, "rng must be an integer"),
    ],
)
def test_bad_input_gets_a_sentence(rng, arguments, error, sentence):
    X, Y = rng.standard_normal((40, 3)), rng.standard_normal((40, 2))
    with pytest.raises(error, match=sentence):
        rehearse(X, Y, np.arange(40) % 3, **arguments)


def test_too_few_labels_get_a_sentence(rng):
    X, Y = rng.standard_normal((100, 3)), rng.standard_normal((100, 2))
    with pytest.raises(InputValueError, match="got 6 labelled rows"):
        rehearse(X, Y, [0, 1] * 3, labelled_rows=np.arange(6), n_folds=5)


def test_unknown_names_get_a_sentence(rng):
    part = rehearsal_of({}, 0.1).budgets[0]
    with pytest.raises(InputValueError, match="candidate must be one of x, y, concat"):
        part.score("cca")
    with pytest.raises(InputValueError, match="label_budget must be one of"):
        rehearsal_of({}, 0.1).at(100)


def test_variables_are_told_apart_whatever_their_names():
    """Measurements whose names look like classes stay measurements; a mixture says so, in any order."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(300, 5)), rng.normal(size=(300, 4))
    low, high = X[:, 0] + 0.1 * rng.normal(size=300), X[:, 1]
    site = np.where(X[:, 2] > 0, "a", "b")
    measured = rehearse(X, Y, {"dose=low": low, "dose=high": high}, label_budgets=(None,))
    assert measured.metric == "r2"
    for labels in ({"dose=low": low, "site": site}, {"site": site, "dose=low": low}):
        mixed = rehearse(X, Y, labels, label_budgets=(None,))
        assert mixed.metric == "mean_of_both"
        assert mixed.chance == 0.25  # of an accuracy of 1/2 and an R² of 0


def test_groups_with_gaps_get_a_sentence():
    rng = np.random.default_rng(0)
    with pytest.raises((InputTypeError, InputValueError), match="groups"):
        rehearse(rng.normal(size=(40, 3)), rng.normal(size=(40, 3)), np.arange(40) % 2, groups=[None, *["a"] * 39])


def test_a_measurement_without_variance_on_the_judged_rows_decides_nothing():
    rng = np.random.default_rng(0)
    labels = np.zeros(6000)
    labels[:3] = [1, 2, 1.5]
    found = decide(rehearse(rng.normal(size=(6000, 3)), rng.normal(size=(6000, 3)), labels, label_budgets=(None,)))
    assert found.objective is Objective.UNDECIDED
    assert "nan" not in found.reason

"""The subspace method: simulated covariances against simulated rows, label tests, noise of unequal rows, and whole analyses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import digamma

from crossphase import CrossMoments, Regime, SpikedModel, encode_labels
from crossphase.pair import PreparedPair, prepare_pair
from crossphase.samples import as_samples
from crossphase.subspace import SubspaceAnalysis, analyse_subspace
from crossphase.subspace.label_space import LEVEL, ViewLabels, find_label_space
from crossphase.subspace.populations import CoherencePopulation, PredictionPopulation
from crossphase.subspace.separation import RowCounts, explained_share, separate_coherence, separate_prediction
from crossphase.subspace.simulation import draw_wishart
from crossphase.subspace.statistics import pair_statistics


def prepared(X: np.ndarray, Y: np.ndarray) -> PreparedPair:
    x, y = as_samples(X, "X"), as_samples(Y, "Y")
    moments = CrossMoments(x.n_features, y.n_features).update(X, Y)
    return prepare_pair(x, y, moments, standardize=False, reduce=(None, None))


def analysed(X: np.ndarray, Y: np.ndarray, labels: np.ndarray, **options: object) -> SubspaceAnalysis:
    encoded = encode_labels(labels, allow_missing=True)
    settings = {"seed": np.random.SeedSequence(0), "n_threads": 2, **options}
    return analyse_subspace(prepared(X, Y), encoded.values, encoded.is_labelled, **settings)


def a_model(eta: float = 0.4) -> SpikedModel:
    """Two signals, correlations .84 and .63, before ten nuisance pairs of correlation eta / 2."""
    return SpikedModel((2.0, 1.2), 0.6, (0.9, 0.8), 1.0, 4.0, eta, n_features_x=12, n_features_y=15, rng=3)


def test_wishart_draws_have_the_determinants_of_sample_covariances():
    n_draws, p, degrees = 400, 6, 40
    rng = np.random.default_rng(0)
    factors = [draw_wishart(p, 2, degrees, rng).factor for _ in range(n_draws)]
    assert all((np.triu(f, 1) == 0).all() for f in factors)
    logs = np.array([2 * np.log(np.diag(f)).sum() for f in factors])
    expected = sum(digamma((degrees - i) / 2) + np.log(2 / degrees) for i in range(p))
    assert abs(logs.mean() - expected) < 4 * logs.std() / np.sqrt(n_draws)
    mean = np.mean([f @ f.T for f in factors], axis=0)  # entries have variance (1 + δ_ij) / degrees
    assert np.abs(mean - np.eye(p)).max() < 5 * np.sqrt(2 / degrees / n_draws)


@pytest.mark.parametrize("n_labelled", [160, 60])
@pytest.mark.parametrize("operator", ["coherence", "prediction"])
def test_simulated_values_are_those_of_drawn_rows(operator, n_labelled):
    """Means over simulated covariances against means over samples of rows, the same population behind both."""
    n, n_draws = 160, 300
    model, (q_x, q_y) = a_model(), (a_model().basis_x, a_model().basis_y)
    rng = np.random.default_rng(1)
    # The labels: both signals with noise of half their variance.
    noise = 0.5
    share = 1 / (1 + noise)
    rows = RowCounts(n, n_labelled)
    root_x, root_y = (np.linalg.cholesky(cov) for cov in (model.cov_xx, model.cov_yy))
    label_x = np.linalg.solve(root_x, q_x[:, :2] * model.kappa * np.sqrt(share))
    raw_y = q_y[:, :2] * model.kappa * np.sqrt(share)
    signal_x = label_x.T @ label_x
    prediction = np.linalg.solve(root_x, model.cov_xy)
    if operator == "coherence":
        coherence = np.linalg.solve(root_y, prediction.T).T
        label_y = np.linalg.solve(root_y, raw_y)
        population = CoherencePopulation(coherence, label_x, label_y, (signal_x, label_y.T @ label_y), rows)
        values = model.signal_correlations, model.nuisance_correlations
    else:
        residual = model.cov_yy - prediction.T @ prediction
        # Without chance in the labels' covariances, there is none to take off: as from infinitely many labelled rows.
        population = PredictionPopulation(prediction, label_x, raw_y, residual, signal_x, RowCounts(1e12, 1e12))
        population._rows = rows
        values = model.signal_gains, model.nuisance_gains
    signal, nuisance = np.sort(values[0])[::-1], np.sort(values[1])[::-1]
    simulated = [population.simulate(signal, nuisance, draw_wishart(29, 2, n - 1, rng)) for _ in range(n_draws)]

    drawn = []
    for seed in range(n_draws):
        X, Y, s = model.sample(n, seed, n_threads=1)
        labels = s / model.kappa + np.sqrt(noise) * rng.normal(size=s.shape)
        X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
        known = labels[:n_labelled] - labels[:n_labelled].mean(axis=0)
        white_labels = known @ np.linalg.inv(np.linalg.cholesky(known.T @ known / n_labelled)).T
        lower_x, lower_y = np.linalg.cholesky(X.T @ X / (n - 1)), np.linalg.cholesky(Y.T @ Y / (n - 1))
        cross = np.linalg.solve(lower_x, X.T @ Y / (n - 1))
        on_x = np.linalg.solve(lower_x, X[:n_labelled].T @ white_labels / n_labelled)
        on_y = Y[:n_labelled].T @ white_labels / n_labelled
        if operator == "coherence":
            white = np.linalg.solve(lower_y, np.hstack([cross.T, on_y]))
            drawn.append(separate_coherence(white[:, :12].T, on_x, white[:, 12:], rows))
        else:
            cov_residual = (Y.T @ Y / (n - 1) - cross.T @ cross) * (n - 1) / (n - 1 - 12)
            drawn.append(separate_prediction(cross, on_x, on_y, cov_residual, rows))

    for field in ("signal", "nuisance"):
        ours, theirs = (np.array([getattr(sample, field) for sample in group]) for group in (simulated, drawn))
        errors = np.sqrt((ours.var(axis=0) + theirs.var(axis=0)) / n_draws)
        # Labels of fewer rows: the simulation takes label covariances of labelled and other rows for jointly Gaussian, right to
        # first order in 1 / n_labelled.
        allowance = 0.0 if n_labelled == n else 0.03 * theirs.mean(axis=0)
        assert (np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) < 4.5 * errors + allowance).all(), field


def test_explained_share_is_the_adjusted_r2_where_all_rows_are_labelled():
    n, p, r2 = 100, 20, 0.4
    adjusted = 1 - (1 - r2) * (n - 1) / (n - 1 - p)
    assert explained_share(np.array(r2), p, RowCounts(n - 1, n - 1)) == pytest.approx(adjusted, rel=1e-12)


@pytest.mark.parametrize("n_labelled", [200, 50])
def test_labels_of_no_view_are_rarely_taken_for_signal(n_labelled):
    n, p, q, m, n_draws = 200, 30, 20, 6, 400
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(n_draws):
        x, y = rng.normal(size=(n, p)), rng.normal(size=(n, q))
        labels = rng.normal(size=(n_labelled, m))
        labels -= labels.mean(axis=0)
        labels = labels @ np.linalg.inv(np.linalg.cholesky(labels.T @ labels / n_labelled)).T
        views = []
        for view in (x, y):
            white = view @ np.linalg.inv(np.linalg.cholesky(view.T @ view / n)).T
            covariance = white[:n_labelled].T @ labels / n_labelled
            views.append(ViewLabels(covariance, np.eye(m), np.eye(m)))
        found += find_label_space(*views, RowCounts(n, n_labelled), 0.0).directions.shape[1] > 0
    # LEVEL of 400 is 4; the binomial law exceeds 13 with probability 1e-4.
    assert found <= 13
    assert LEVEL == 0.01


def test_the_rank_of_clean_labels_is_found():
    X, Y, signal = a_model().sample(1500, 4)
    assert analysed(X, Y, signal).n_directions == 2
    assert analysed(X, Y, signal[:, :1]).n_directions == 1
    mixed = signal @ np.random.default_rng(0).normal(size=(2, 5))  # rank 2 in five columns
    assert analysed(X, Y, mixed).n_directions == 2


def test_heavy_tails_are_seen_and_mended():
    model = a_model()
    labels = np.arange(4000) % 2
    noise = {}
    for degrees in (None, 5.0):
        X, Y, _ = model.sample(4000, 5, degrees_of_freedom=degrees)
        found = pair_statistics(
            prepared(X, Y), labels[:, None] * 1.0, np.ones(4000, bool), None, n_threads=1, backend=None
        )
        noise[degrees] = found
    assert noise[None].excess_noise == pytest.approx(
        1, abs=0.05
    )  # Gaussian; sampling error about 2 / sqrt(n p) and the coherence's share
    assert not noise[None].is_reweighted
    assert noise[5.0].is_reweighted
    assert (
        noise[5.0].excess_noise > 1.5
    )  # an elliptical t of 5 degrees has E w² / (E w)² = 3, which leverages, at most 1, understate
    assert noise[5.0].rows.pairs > 0.9 * 4000


def test_copies_count_once():
    model = a_model()
    X, Y, _ = model.sample(500, 6)
    copies = [np.repeat(values, 4, axis=0) for values in (X, Y)]
    labels = np.zeros((2000, 1))
    labels[::3] = 1
    groups = np.repeat(np.arange(500), 4)
    plain, grouped = (
        pair_statistics(prepared(*copies), labels, np.ones(2000, bool), g, n_threads=1, backend=None)
        for g in (None, groups)
    )
    assert plain.rows.pairs / grouped.rows.pairs == pytest.approx(4, rel=1e-6)


@pytest.mark.parametrize(
    ("gamma_tilde_y", "eta", "regime"),
    [
        (1.0, 0.2, Regime.BOTH),  # nuisance .2 against signal of at least .55 in correlation, and in gain
        (40.0, 1.9, Regime.CA_ONLY),  # .3 in correlation, 1.9 in gain
        (0.05, 0.18, Regime.CP_ONLY),  # .8 in correlation, .18 in gain
        (4.0, 1.9, Regime.NEITHER),  # .95 in correlation
    ],
)
def test_regimes_of_clear_cases(gamma_tilde_y, eta, regime):
    model = SpikedModel((2.0, 1.2), 0.9, 0.9, 1.0, gamma_tilde_y, eta, n_features_x=25, n_features_y=20, rng=1)
    assert model.regime is regime
    found = analysed(*model.sample(1500, 2))
    assert found.regime_probabilities[regime] > 0.95
    for operator, truth in ((found.alignment, model.delta_ca), (found.prediction, model.delta_cp)):
        assert operator.delta.low < truth < operator.delta.high
    assert found.prediction_reverse.delta.low < model.delta_cp_reverse < found.prediction_reverse.delta.high


def test_inflated_nuisance_is_taken_back():
    """All nuisance correlations .3, three rows a feature: the sample's largest is twice as large, the estimate is not."""
    model = SpikedModel(2.0, 0.5, 0.5, 1.0, 1.0, 0.3, n_features_x=50, n_features_y=50, rng=0)
    estimates, in_sample = [], []
    for seed in range(6):
        found = analysed(*model.sample(300, seed)).alignment
        estimates.append(found.largest_nuisance.value)
        in_sample.append(found.in_sample_nuisance[0])
    assert min(in_sample) > 0.6
    # The standard error of one is about .08 (interval widths); 3 of them over sqrt(6) and the maximum of a fitted spectrum.
    assert 0.2 < np.mean(estimates) < 0.45


def test_few_labels_use_all_pairs():
    model = a_model(eta=0.2)
    X, Y, signal = model.sample(3000, 7)
    labels = signal.copy()
    labels[300:] = np.nan
    few = analysed(X, Y, labels)
    only = analysed(X[:300], Y[:300], signal[:300])
    assert few.n_effective_labelled < 310 < few.n_effective
    width = [np.log(a.alignment.delta.high / max(a.alignment.delta.low, 1e-9)) for a in (few, only)]
    assert width[0] < width[1]
    assert few.alignment.delta.low < model.delta_ca < few.alignment.delta.high


def test_no_label_direction_is_no_verdict():
    X, Y, _ = a_model().sample(400, 8)
    found = analysed(X, Y, np.random.default_rng(0).normal(size=400))
    assert found.n_directions == 0
    assert found.alignment.delta.value == 0
    assert found.alignment.probability_above_one == 0.5  # nothing is known
    assert set(found.regime_probabilities.values()) == {0.25}


def test_as_many_directions_as_features_leave_no_nuisance():
    rng = np.random.default_rng(9)
    X = rng.normal(size=(500, 2))
    found = analysed(X, X @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(500, 6)), X)
    assert found.n_directions == 2
    assert found.alignment.delta.value == np.inf
    assert found.alignment.largest_nuisance.value == 0


def test_recovery_is_graded_by_label():
    """Two signals, nuisance between them: one label is kept by alignment, the other lost, a mixture kept by half."""
    model = SpikedModel((3.0, 0.8), 0.5, 0.5, 1.0, 1.0, 0.75, n_features_x=20, n_features_y=20, rng=0)
    assert model.n_recovered_ca == 1
    X, Y, signal = model.sample(3000, 1)
    strong, weak = signal[:, 0] / 3.0, signal[:, 1] / 0.8
    found = analysed(X, Y, np.column_stack([strong, weak])).alignment
    assert found.n_recovered == 1
    assert found.label_recovery[0] > 0.95
    assert found.label_recovery[1] < 0.05
    mixed = analysed(X, Y, np.column_stack([strong + weak, strong - weak])).alignment
    # Of either label X explains shares 9 / 9.5 and .64 / 1.14 of its two halves; the strong one's part is kept.
    assert mixed.label_recovery == pytest.approx(np.full(2, 0.947 / (0.947 + 0.561)), abs=0.05)


def test_what_scaling_would_change_is_told():
    """A loud nuisance column of Y defeats prediction; scaled to unit variance it would not."""
    model = SpikedModel((2.0, 1.5), 0.5, 0.5, 1.0, (100.0, *[1.0] * 17), (3.0, *[0.1] * 17), 20, 20)
    assert model.delta_cp < 1 < model.delta_ca
    X, Y, signal = model.sample(3000, 3)
    found = analysed(X, Y, signal)
    assert found.prediction.delta.value < 1 < found.delta_cp_if_standardized
    scaled = analysed(X, Y / Y.std(axis=0, ddof=1), signal)
    # Both are estimates of the same ratio; the rough one keeps the bias correction of the other scaling.
    assert found.delta_cp_if_standardized == pytest.approx(scaled.prediction.delta.value, rel=0.3)


def test_threads_do_not_change_a_bit():
    sample = a_model().sample(600, 10)
    one, two = (analysed(*sample, n_threads=n) for n in (1, 2))
    for a, b in ((one.alignment, two.alignment), (one.prediction_reverse, two.prediction_reverse)):
        assert a.log_delta_draws.tobytes() == b.log_delta_draws.tobytes()
        assert a.nuisance.tobytes() == b.nuisance.tobytes()


def test_heavy_tails_do_not_hide_the_labels():
    """Rows of both views times one random radius: what labels have in common with them stays what it is."""
    found = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        n, p = 600, 30
        signal, nuisance = rng.normal(size=(n, 2)), rng.normal(size=(n, p - 2))
        X, Y = (
            np.hstack([signal + 0.7 * rng.normal(size=(n, 2)), 0.6 * nuisance + 0.8 * rng.normal(size=(n, p - 2))])
            for _ in range(2)
        )
        radius = np.sqrt(3 / rng.chisquare(3, size=(n, 1)))
        labels = signal + 2 * rng.normal(size=(n, 2))
        found.append(analysed(radius * X, radius * Y, labels).n_directions)
    # R² of a label is .2 · .67 = .13 on either side: with 600 rows and 30 features either test misses one in a thousand.
    assert found.count(2) >= 7


def test_labels_of_groups_are_no_more_than_the_groups():
    """Labels drawn once a group, of no view: rows of a group share an offset in X, which many rows make look significant."""
    n_groups, m, found = 40, 10, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(n_groups), m)
        X = np.sqrt(0.3) * rng.normal(size=(n_groups, 8))[groups] + np.sqrt(0.7) * rng.normal(size=(n_groups * m, 8))
        Y = rng.normal(size=(n_groups * m, 6))
        labels = rng.normal(size=n_groups)[groups]
        encoded = encode_labels(labels)
        statistics = pair_statistics(
            prepared(X, Y), encoded.values, encoded.is_labelled, groups, n_threads=1, backend=None
        )
        space = find_label_space(
            statistics.labels_x, statistics.labels_y, statistics.rows, float(np.sum(statistics.coherence**2))
        )
        found += space.directions.shape[1] > 0
    # At the level .01, more than 3 of 20 happen once in 20 000.
    assert found <= 3


def test_the_design_effect_does_not_depend_on_how_many_rows_are_looked_at():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(9000), 3)  # 27 000 rows, more than are looked at
    X, Y = (rng.normal(size=(9000, 6))[groups] for _ in range(2))
    labels = np.arange(27_000)[:, None] % 2 * 1.0
    found = pair_statistics(prepared(X, Y), labels, np.ones(27_000, bool), groups, n_threads=1, backend=None)
    assert found.rows.pairs == pytest.approx(9000, rel=0.02)


def test_more_label_columns_than_rows_can_carry_predict_nothing():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 30))
    found = analysed(X, 0.5 * X + rng.normal(size=(300, 30)), rng.normal(size=(300, 310)))
    assert found.n_directions == 0


def test_independent_views_without_room_for_nuisance_recover_nothing():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(1000, 1))
    found = analysed(signal + 0.3 * rng.normal(size=(1000, 1)), rng.normal(size=(1000, 5)), signal)
    assert found.alignment.probability_above_one < 0.5
    assert found.regime is Regime.NEITHER


def test_equal_views_are_a_tie():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 10))
    found = analysed(X, X @ rng.normal(size=(10, 10)), X[:, :2])
    assert found.alignment.probability_above_one == 0.5
    assert max(found.regime_probabilities.values()) < 0.95

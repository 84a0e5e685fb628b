"""Counting shared directions: false alarms where there are none, the right number where there are some, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from crossphase import InputTypeError, InputValueError, count_shared_directions
from crossphase.resampling import Permutations, SignFlips
from crossphase.spiked import SpikedModel

Pair = tuple[np.ndarray, np.ndarray]


def false_alarm_bound(n_draws: int, level: float = 0.05) -> float:
    """Four binomial standard errors above the level: a right test exceeds it in 1 of 30 000 runs, and ours has fixed seeds."""
    return level + 4 * np.sqrt(level * (1 - level) / n_draws)


def false_alarm_rate(
    draw: Callable[[np.random.Generator], Pair], n_draws: int, n_shared: int = 0, **options: object
) -> float:
    alarms = 0
    for seed in range(n_draws):
        X, Y = draw(np.random.default_rng(seed))
        found = count_shared_directions(X, Y, n_resamples=19, rng=seed, n_threads=1, **options)
        alarms += found.n_directions > n_shared
    return alarms / n_draws


def gaussian(n: int, p: int, q: int) -> Callable[[np.random.Generator], Pair]:
    return lambda rng: (rng.standard_normal((n, p)), rng.standard_normal((n, q)))


def shared_scale(rng: np.random.Generator) -> Pair:
    """Uncorrelated Student t rows whose views share a scale, as those of a spiked model do."""
    scale = 1 / np.sqrt(rng.chisquare(4, (80, 1)))
    return rng.standard_normal((80, 6)) * scale, rng.standard_normal((80, 6)) * scale


def with_signals(rng: np.random.Generator, n: int, p: int, q: int, correlations: tuple[float, ...]) -> Pair:
    X, Y = rng.standard_normal((n, p)), rng.standard_normal((n, q))
    rho, k = np.array(correlations), len(correlations)
    Y[:, :k] = rho * X[:, :k] + np.sqrt(1 - rho**2) * Y[:, :k]
    return X, Y


@pytest.mark.parametrize("method", ["sign_flip", "permutation", "tracy_widom"])
@pytest.mark.parametrize("sizes", [(60, 5, 4), (40, 60, 30)])
def test_false_alarms_on_independent_rows(method: str, sizes: tuple[int, int, int]) -> None:
    n_draws = 200
    assert false_alarm_rate(gaussian(*sizes), n_draws, method=method) <= false_alarm_bound(n_draws)


def test_heavy_tails_that_share_a_scale() -> None:
    """Only flips stay honest: permutations and the Gaussian law take the common scale for signal."""
    n_draws = 200
    assert false_alarm_rate(shared_scale, n_draws) <= false_alarm_bound(n_draws)
    for method in ("permutation", "tracy_widom"):
        assert false_alarm_rate(shared_scale, 60, method=method) > 0.2


def test_no_direction_too_many_beyond_the_shared_ones() -> None:
    n_draws = 200
    rate = false_alarm_rate(lambda rng: with_signals(rng, 100, 6, 5, (0.9, 0.8)), n_draws, n_shared=2)
    assert rate <= false_alarm_bound(n_draws)


def grouped(rng: np.random.Generator, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half of the variance is the group's, in either view for itself."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    X, Y = (rng.standard_normal((len(sizes), 4))[groups] + rng.standard_normal((len(groups), 4)) for _ in range(2))
    return X, Y, groups


@pytest.mark.parametrize(("method", "sizes"), [("sign_flip", [2, 14] * 15), ("permutation", [8] * 30)])
def test_groups_keep_the_test_honest(method: str, sizes: list[int]) -> None:
    n_draws, counts = 200, {"with": 0, "without": 0}
    for seed in range(n_draws):
        X, Y, groups = grouped(np.random.default_rng(seed), np.array(sizes))
        for name, given in (("with", groups), ("without", None)):
            found = count_shared_directions(X, Y, groups=given, method=method, n_resamples=19, rng=seed, n_threads=1)
            counts[name] += found.is_any
    assert counts["with"] / n_draws <= false_alarm_bound(n_draws)
    assert counts["without"] / n_draws > 0.2


def test_duplicated_rows_are_groups() -> None:
    n_draws, counts = 200, {"with": 0, "without": 0}
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        originals = np.repeat(np.arange(40), 5)
        X, Y = rng.standard_normal((40, 4))[originals], rng.standard_normal((40, 4))[originals]
        for name, groups in (("with", originals), ("without", None)):
            found = count_shared_directions(
                X, Y, groups=groups, method="permutation", n_resamples=19, rng=seed, n_threads=1
            )
            counts[name] += found.is_any
    assert counts["with"] / n_draws <= false_alarm_bound(n_draws)
    assert counts["without"] / n_draws > 0.2


@pytest.mark.parametrize("method", ["sign_flip", "permutation", "tracy_widom"])
def test_finds_as_many_as_there_are(method: str, rng: np.random.Generator) -> None:
    rho = (0.9, 0.8, 0.7)
    X, Y = with_signals(rng, 1000, 30, 20, rho)
    found = count_shared_directions(X, Y, method=method)
    assert found.n_directions == 3
    assert found.is_any
    assert len(found.p_values) == 4
    assert (np.diff(found.p_values) >= 0).all()
    assert (found.correlations[:3] > rho).all()  # inflated
    # Standard errors (1 - ρ²) / sqrt(n): at most .016; four of them.
    assert found.population_correlations == pytest.approx(rho, abs=0.064)
    assert found.correlations[3] < found.null_level + 0.05
    assert (found.rank_x, found.rank_y, found.n_samples) == (30, 20, 1000)


def test_weak_signal_behind_a_strong_one_is_compared_with_its_own_step() -> None:
    """With 2 + 2 features the second correlation competes with one feature a side, whose null level is lower."""
    n, n_draws, found = 100, 60, 0
    for seed in range(n_draws):
        X, Y = with_signals(np.random.default_rng(seed), n, 2, 2, (0.99, 0.25))
        found += count_shared_directions(X, Y, rng=seed, n_threads=1).n_directions == 2
    # The sample's second correlation is .25 ± .094. It exceeds the level of 1 + 1 features, .197, in 71 % of samples and that of
    # 2 + 2 features, .29, in 33 %: 43 ± 3.5 and 20 ± 3.6 of 60.
    assert found >= 31


@pytest.mark.parametrize("step", [0, 1, 3])
def test_resamples_match_canonical_correlations_of_the_rows(step: int, rng: np.random.Generator) -> None:
    """The algebra on cross-products against residuals, row by row."""
    n, p, q = 50, 6, 5
    X, Y = with_signals(rng, n, p, q, (0.9, 0.8))
    scores = [np.linalg.qr(Z - Z.mean(axis=0))[0] for Z in (X, Y)]
    left, _, right = np.linalg.svd(scores[0].T @ scores[1])
    variates_x, variates_y = scores[0] @ left, scores[1] @ right.T
    blocks = scores[0][:, :, None] * scores[1][:, None, :]
    flips = SignFlips(blocks, scores[0], n, 3, np.random.default_rng(1))
    permutations = Permutations(*scores, None, 3, np.random.default_rng(2))
    signs = 2.0 * np.random.default_rng(1).integers(0, 2, (3, n)) - 1
    orders = np.random.default_rng(2)
    for i, (flipped, permuted) in enumerate(
        zip(flips.largest_correlations(step, 1), permutations.largest_correlations(step, 1), strict=True)
    ):
        for found, rows in (
            (flipped, signs[i][:, None] * variates_x),
            (permuted, variates_x[orders.permutation(n)]),
        ):
            fixed = np.hstack([np.ones((n, 1)), rows[:, :step], variates_y[:, :step]])
            residuals = [
                z - fixed @ np.linalg.lstsq(fixed, z, rcond=None)[0] for z in (rows[:, step:], variates_y[:, step:])
            ]
            expected = np.linalg.norm(np.linalg.qr(residuals[0])[0].T @ np.linalg.qr(residuals[1])[0], 2)
            assert found == pytest.approx(expected, rel=1e-9)  # squared in a Gram matrix: half the digits


def test_the_same_whatever_the_threads_units_and_dtype(rng: np.random.Generator) -> None:
    X, Y = with_signals(rng, 400, 12, 9, (0.8, 0.5))
    one, two = (count_shared_directions(X, Y, n_threads=k) for k in (1, 2))
    assert np.array_equal(one.p_values, two.p_values)
    assert one.null_level == two.null_level
    scaled = count_shared_directions(X * np.geomspace(1e-180, 1e180, 12), Y - 3.0)
    assert np.array_equal(scaled.p_values, one.p_values)
    assert scaled.correlations == pytest.approx(one.correlations, rel=1e-6)
    single = count_shared_directions(X.astype(np.float32), Y.astype(np.float16))
    assert single.n_directions == one.n_directions
    swapped = count_shared_directions(Y, X)
    assert swapped.correlations == pytest.approx(one.correlations, rel=1e-9)


def test_few_rows_take_principal_components(rng: np.random.Generator) -> None:
    """More features than rows: a tenth of the rows in components, no correlation of 1, and the leading signal found."""
    shared = rng.standard_normal((200, 1))
    X = 4.0 * shared @ rng.standard_normal((1, 300)) + rng.standard_normal((200, 300))
    Y = 4.0 * shared @ rng.standard_normal((1, 400)) + rng.standard_normal((200, 400))
    found = count_shared_directions(X, Y)
    assert (found.rank_x, found.rank_y) == (19, 19)
    assert found.n_directions == 1
    noise = count_shared_directions(rng.standard_normal((200, 300)), rng.standard_normal((200, 400)))
    assert noise.correlations[0] < 0.9


def test_constant_and_repeated_columns_are_not_counted(rng: np.random.Generator) -> None:
    X, Y = with_signals(rng, 100, 4, 3, (0.9,))
    padded = np.hstack([X, X[:, :2] + X[:, 1:3], np.full((100, 2), 0.1)])
    found = count_shared_directions(padded, Y)
    assert found.rank_x == 4
    assert found.correlations == pytest.approx(count_shared_directions(X, Y).correlations, rel=1e-6)


def test_perfect_copies_have_every_direction(rng: np.random.Generator) -> None:
    X = rng.standard_normal((100, 5))
    found = count_shared_directions(X, X @ rng.standard_normal((5, 5)))
    assert found.n_directions == 5
    assert found.population_correlations == pytest.approx(np.ones(5), abs=1e-6)


def test_spiked_model_counts_its_signals() -> None:
    model = SpikedModel((2.0, 1.5), 0.5, 0.5, 1.0, 3.0, 0.0, n_features_x=12, n_features_y=10, rng=0)
    sample = model.sample(2000, 1)
    found = count_shared_directions(sample.X, sample.Y)
    assert found.n_directions == 2
    # Standard errors (1 - ρ²) / sqrt(n) below .008; four of them.
    assert found.population_correlations == pytest.approx(np.sort(model.signal_correlations)[::-1], abs=0.032)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "bootstrap"}, "method must be one of sign_flip, permutation, tracy_widom; got 'bootstrap'"),
        ({"n_resamples": 18}, "n_resamples must be at least 19 for a level of 0.05"),
        ({"level": 0.0}, "level must be a finite number > 0 and < 1"),
        ({"groups": np.arange(29)}, r"groups must have shape \(30,\)"),
        ({"groups": np.arange(30) // 6}, "at least 7 groups are needed for a test at level 0.05; got 5"),
        (
            {"groups": np.arange(30) // 4, "method": "permutation"},
            "same number of rows to be exchanged; got from 2 to 4",
        ),
        ({"groups": np.arange(30) // 3, "method": "tracy_widom"}, "presumes independent rows"),
        ({"groups": np.where(np.arange(30) == 4, np.nan, 1.0)}, "groups must not be missing; got nan at row 4"),
        ({"groups": [None, *"abcdefghijklmnopqrstuvwxyzabc"]}, "groups must not be missing; got None at row 0"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], message: str, rng: np.random.Generator) -> None:
    X, Y = with_signals(rng, 30, 3, 3, (0.5,))
    with pytest.raises(InputValueError, match=message):
        count_shared_directions(X, Y, **options)


@pytest.mark.parametrize(
    ("X", "Y", "error", "message"),
    [
        (np.ones((30, 2)), np.eye(30), InputValueError, "X is constant: none of its 2 columns varies"),
        (np.eye(30), np.eye(29), InputValueError, "must have the same number of rows"),
        (np.eye(7), np.eye(7), InputValueError, "at least 8 rows are needed"),
        (np.full((30, 2), np.nan), np.eye(30), InputValueError, "X must be finite"),
        (np.full((30, 2), 1e308), np.eye(30), InputValueError, "X is so large that its sums overflow"),
        (np.ones((30, 2), dtype=int), np.eye(30), InputTypeError, "X must be float16"),
    ],
)
def test_bad_views_are_named(X: np.ndarray, Y: np.ndarray, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        count_shared_directions(X, Y)

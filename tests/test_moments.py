"""Cross-moments: accurate for any mean and sample type, and the same bytes however the rows arrive."""

from __future__ import annotations

import copy
import pickle
import re

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crossphase
import problems
from crossphase import CrossMoments, InputTypeError, InputValueError, _core, cross_moments
from crossphase._backends import BACKENDS

MEANS = ("mean_x", "mean_y", "mean_labels")
COVARIANCES = ("cov_xx", "cov_xy", "cov_yy", "cov_xl", "cov_yl", "cov_ll")


def result_bytes(moments: CrossMoments) -> bytes:
    return b"".join(np.ascontiguousarray(getattr(moments, name)).tobytes() for name in (*MEANS, *COVARIANCES))


def feed(moments: CrossMoments, parts: list[np.ndarray], chunk: int) -> CrossMoments:
    for start in range(0, len(parts[0]), chunk):
        moments.update(*(part[start : start + chunk] for part in parts))
    return moments


def gaussian_parts(rng: np.random.Generator, n: int, *widths: int) -> list[np.ndarray]:
    return [rng.standard_normal((n, width)) + 3.0 for width in widths]


@pytest.fixture
def small_state(rng: np.random.Generator) -> CrossMoments:
    return CrossMoments(2, 1).update(*gaussian_parts(rng, 50, 2, 1))


def assert_matches_truth(moments: CrossMoments, problem: problems.PairProblem) -> None:
    p, q = problem.X.shape[1], problem.Y.shape[1]
    side = {"x": slice(0, p), "y": slice(p, p + q), "l": slice(p + q, None), "labels": slice(p + q, None)}
    for name in MEANS:
        columns = side[name.removeprefix("mean_")]
        error = np.abs(getattr(moments, name) - problem.mean[columns])
        assert (error <= problem.mean_tolerance[columns]).all(), name
    for name in COVARIANCES:
        block = side[name[-2]], side[name[-1]]
        error = np.abs(getattr(moments, name) - problem.cov[block])
        assert (error <= problem.cov_tolerance[block]).all(), name


@pytest.mark.parametrize("backend", BACKENDS)
@given(problem=problems.pairs())
def test_matches_extended_precision(backend: str, problem: problems.PairProblem) -> None:
    widths = problem.X.shape[1], problem.Y.shape[1], problem.labels.shape[1]
    moments = CrossMoments(*widths, precision="f64", backend=backend)
    assert_matches_truth(moments.update(problem.X, problem.Y, problem.labels), problem)
    assert moments.backend == backend


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("dtype", "mean_to_sd"), [("float64", 1e6), ("float32", 1e3)])
def test_large_means_cost_no_digits(backend: str, dtype: str, mean_to_sd: float) -> None:
    problem = problems.pair_problem(7, 5000, (13, 9, 3), mean_to_sd, dtype)
    moments = cross_moments(problem.X, problem.Y, problem.labels, precision="f64", backend=backend)
    assert_matches_truth(moments, problem)


@pytest.mark.parametrize("layout", problems.LAYOUTS)
@pytest.mark.parametrize("chunk", [1, 7, 1000, 1024, 4096, 5000])
@pytest.mark.parametrize("precision", ["f64", "f32", "bf16x3"])
def test_bytes_depend_on_rows_alone(rng: np.random.Generator, precision: str, layout: str, chunk: int) -> None:
    """Threads x chunk sizes x layouts; 25 columns end within a panel, of 16 or of 32."""
    n = 2100 if chunk == 1 else 5000
    parts = gaussian_parts(rng, n, 13, 9, 3)
    expected = result_bytes(CrossMoments(13, 9, 3, precision=precision, n_threads=1).update(*parts))
    with problems.laid_out(layout, *parts) as other:
        for n_threads in (1, 2, 3, 7):
            state = CrossMoments(13, 9, 3, precision=precision, n_threads=n_threads)
            assert result_bytes(feed(state, other, chunk)) == expected


@pytest.mark.parametrize("precision", ["f64", "f32", "bf16x6", "bf16"])
@pytest.mark.parametrize("widths", [(1, 1, 1), (16, 16, 16), (40, 30, 2)])
def test_bytes_do_not_depend_on_threads_for_any_width(
    rng: np.random.Generator, widths: tuple[int, int, int], precision: str
) -> None:
    parts = gaussian_parts(rng, 5000, *widths)
    results = {
        result_bytes(feed(CrossMoments(*widths, precision=precision, n_threads=t), parts, c))
        for t in (1, 3)
        for c in (999, 5000)
    }
    assert len(results) == 1


@settings(max_examples=250)
@given(plan=problems.shard_plans(), dtype=st.sampled_from(["float64", "float32"]))
def test_bytes_do_not_depend_on_shards_or_merge_order(plan: problems.ShardPlan, dtype: str) -> None:
    parts = [part.astype(dtype) for part in gaussian_parts(problems.generator(plan.n), plan.n, 2, 1)]
    whole = CrossMoments(2, 1, n_threads=1).update(*parts)
    states = []
    for first, last, chunk in zip(plan.cuts, plan.cuts[1:], plan.chunk_sizes, strict=False):
        shard = CrossMoments(2, 1, first_row=first, n_threads=1)
        states.append(feed(shard, [part[first:last] for part in parts], chunk))
    for into, other in plan.merges:
        states[into].merge(states[other])
        del states[other]
    assert states[0].row_ranges == [(0, plan.n)]
    assert result_bytes(states[0]) == result_bytes(whole)


@pytest.mark.parametrize("backend", BACKENDS)
def test_shards_with_a_gap_give_the_moments_of_the_rows_held(rng: np.random.Generator, backend: str) -> None:
    X, Y = gaussian_parts(rng, 6000, 3, 2)
    early = CrossMoments(3, 2, backend=backend).update(X[:1500], Y[:1500])
    late = CrossMoments(3, 2, first_row=2500, backend=backend).update(X[2500:], Y[2500:])
    early.merge(late)
    rows = np.r_[0:1500, 2500:6000]
    mean, cov = problems.true_moments(np.hstack([X, Y])[rows])
    mean_tolerance, cov_tolerance = problems.tolerances(np.hstack([X, Y])[rows], cov)
    assert early.row_ranges == [(0, 1500), (2500, 6000)]
    assert (np.abs(early.mean_x - mean[:3]) <= mean_tolerance[:3]).all()
    assert (np.abs(early.cov_xy - cov[:3, 3:]) <= cov_tolerance[:3, 3:]).all()
    assert late.row_ranges == [(2500, 6000)]


def test_a_merged_state_goes_on_behind_its_last_row(rng: np.random.Generator) -> None:
    X, Y = gaussian_parts(rng, 3000, 2, 1)
    first, second = CrossMoments(2, 1), CrossMoments(2, 1, first_row=700)
    first.update(X[:700], Y[:700]).merge(second.update(X[700:2000], Y[700:2000]))
    first.update(X[2000:], Y[2000:])
    assert result_bytes(first) == result_bytes(CrossMoments(2, 1).update(X, Y))


@pytest.mark.parametrize("dtype", sorted(problems.CASTS))
def test_every_sample_type_is_read_exactly(rng: np.random.Generator, dtype: str) -> None:
    """The same bytes as the float64 conversion of the same numbers, subnormal ones included."""
    parts = [problems.CASTS[dtype](part) for part in gaussian_parts(rng, 2500, 5, 3)]
    parts[0][:4, 0] = problems.CASTS[dtype](np.array([6e-8, -1e-7, 3e-39, 0.0]))
    converted = [problems.exact_float64(part) for part in parts]
    for precision in ("f64", "f32", "bf16x3", "bf16"):
        as_given, as_float64 = (CrossMoments(5, 3, precision=precision).update(*rows) for rows in (parts, converted))
        assert result_bytes(as_given) == result_bytes(as_float64)


def test_all_float16_and_bfloat16_numbers_are_read_exactly() -> None:
    """Every finite bit pattern once, as two equal rows: the mean is the number itself."""
    bits = np.arange(2**16, dtype=np.uint16)
    for values in (bits.view(np.float16), bits.view(ml_dtypes.bfloat16)):
        with np.errstate(invalid="ignore"):
            exact = values.astype(np.float64)
        # Squares of what is left neither overflow nor does the mean of two equal numbers round.
        usable = np.flatnonzero(np.isfinite(exact))
        for columns in np.array_split(usable, 64):
            two_rows = np.repeat(values[None, columns], 2, axis=0)
            moments = CrossMoments(len(columns), 1).update(two_rows, np.array([[0.0], [1.0]]))
            assert np.array_equal(moments.mean_x, exact[columns])


def test_parts_may_differ_in_type_and_layout(rng: np.random.Generator) -> None:
    X, Y, labels = gaussian_parts(rng, 3000, 4, 3, 2)
    X16, Y32 = X.astype(np.float16), np.asfortranarray(Y.astype(np.float32))
    for precision in ("f64", "f32"):
        mixed = CrossMoments(4, 3, 2, precision=precision).update(X16, Y32, labels[::-1][::-1])
        same = CrossMoments(4, 3, 2, precision=precision).update(X16.astype(float), Y32.astype(float), labels)
        assert result_bytes(mixed) == result_bytes(same)


def test_covariances_are_symmetric_and_positive_semidefinite() -> None:
    problem = problems.pair_problem(3, 3000, (12, 6, 2), 1e5, "float64")
    X = np.hstack([problem.X, problem.X[:, :4]])  # repeated columns: rank 12 of 16
    cov = cross_moments(X, problem.Y).cov_xx
    assert np.array_equal(cov, cov.T)
    # Weyl: eigenvalues move by at most the norm of the error, bounded by its entries' sum over a row.
    tolerance = problems.tolerances(X, cov)[1].sum(axis=1).max()
    smallest = np.linalg.eigvalsh(cov)
    assert smallest[0] >= -tolerance - 16 * problems.U * smallest[-1]
    assert np.abs(smallest[:4]).max() <= tolerance + 16 * problems.U * smallest[-1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_reading_on_the_way_changes_nothing(rng: np.random.Generator, backend: str) -> None:
    X, Y = gaussian_parts(rng, 3000, 2, 2)
    unread, read = (CrossMoments(2, 2, backend=backend) for _ in range(2))
    for start in range(0, 3000, 700):
        unread.update(X[start : start + 700], Y[start : start + 700])
        read.update(X[start : start + 700], Y[start : start + 700])
        n = read.n_samples
        assert n == min(start + 700, 3000)
        assert np.allclose(read.mean_x, X[:n].mean(axis=0), rtol=1e-12, atol=0)
    assert result_bytes(read) == result_bytes(unread)


@pytest.mark.parametrize("backend", BACKENDS)
def test_constant_columns_have_no_covariance(rng: np.random.Generator, backend: str) -> None:
    X = np.hstack([np.full((3000, 1), 0.1), np.full((3000, 1), -1e9 / 3), rng.standard_normal((3000, 1))])
    cov = cross_moments(X, X[:, :1], backend=backend).cov_xx
    tolerance = problems.tolerances(X, cov)[1]
    assert (np.abs(cov[:2]) <= tolerance[:2]).all()


def test_results_are_read_only(small_state: CrossMoments) -> None:
    with pytest.raises(ValueError, match="read-only"):
        small_state.cov_xx[0, 0] = 1.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_overlapping_shards_are_refused_by_their_rows(rng: np.random.Generator, backend: str) -> None:
    X, Y = gaussian_parts(rng, 2500, 2, 1)
    ours = CrossMoments(2, 1, backend=backend).update(X[:2000], Y[:2000])
    theirs = CrossMoments(2, 1, first_row=1500, backend=backend).update(X[1500:], Y[1500:])
    before = result_bytes(ours)
    with pytest.raises(InputValueError, match=r"both states hold rows 1500 to 1999.*first_row"):
        ours.merge(theirs)
    assert result_bytes(ours) == before
    assert ours.row_ranges == [(0, 2000)]
    ours.update(X[2000:], Y[2000:])
    assert result_bytes(ours) == result_bytes(CrossMoments(2, 1, backend=backend).update(X, Y))


@pytest.mark.parametrize("backend", BACKENDS)
def test_merging_with_the_wrong_thing_is_refused(rng: np.random.Generator, backend: str) -> None:
    X, Y = gaussian_parts(rng, 30, 2, 1)
    state = CrossMoments(2, 1, backend=backend).update(X, Y)
    before = result_bytes(state)
    other_backend = next(name for name in BACKENDS if name != backend)
    wrong = [
        (state, InputValueError, r"cannot merge: .*"),
        (
            CrossMoments(1, 2, backend=backend, first_row=99),
            InputValueError,
            "2 of X.*1 of Y.*, the other 1 of X.*2 of Y",
        ),
        (CrossMoments(2, 1, 1, backend=backend, first_row=99), InputValueError, "0 of labels, the other .*1 of labels"),
        (CrossMoments(2, 1, backend=other_backend), InputTypeError, f"{backend}.*{other_backend}"),
        (X, InputTypeError, "other must be a CrossMoments; got ndarray"),
    ]
    for other, error, message in wrong:
        with pytest.raises(error, match=message):
            state.merge(other)
        assert result_bytes(state) == before


def _spoil(part: np.ndarray, value: float) -> np.ndarray:
    spoiled = part.copy()
    spoiled[3, 0] = value
    return spoiled


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_refused_update_changes_nothing(rng: np.random.Generator, backend: str) -> None:
    X, Y, labels = gaussian_parts(rng, 2000, 2, 1, 1)
    state = CrossMoments(2, 1, 1, backend=backend).update(X, Y, labels)
    before = result_bytes(state)
    refused = [
        ((X[:, :1], Y, labels), r"X must have 2 columns; got shape \(2000, 1\)"),
        ((X, Y, np.hstack([labels, labels])), "labels must have 1 columns"),
        ((X, Y[:-1], labels), r"X, Y and labels must have the same number of rows"),
        ((X, Y, None), "labels are missing.*n_labels=1"),
        ((_spoil(X, np.nan), Y, labels), "X must be finite; got nan at row 3, column 0"),
        ((X, _spoil(Y, np.inf), labels), "Y must be finite; got inf at row 3"),
        ((X, Y, _spoil(labels, -np.inf)), "labels must be finite; got -inf at row 3"),
        ((X[:0], Y[:0], labels[:0]), "X is empty"),
    ]
    for arguments, message in refused:
        with pytest.raises(InputValueError, match=message):
            state.update(*arguments)
        assert state.row_ranges == [(0, 2000)]
        assert result_bytes(state) == before


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("first_row", [0, 700, 5000])
def test_a_pickled_state_goes_on_with_the_same_bytes(rng, backend: str, first_row: int) -> None:
    X, Y, labels = (rng.standard_normal((6000, width)) for width in (17, 3, 2))
    state = CrossMoments(17, 3, 2, first_row=first_row, backend=backend)
    for start in range(0, 4000, 800):
        rows = slice(start, start + 800)
        state.update(X[rows], Y[rows], labels[rows])
    restored, copied = pickle.loads(pickle.dumps(state)), copy.deepcopy(state)
    for one in (state, restored, copied):
        one.update(X[4000:], Y[4000:], labels[4000:])
        assert one.row_ranges == [(first_row, first_row + 6000)]
    assert result_bytes(state) == result_bytes(restored) == result_bytes(copied)


def test_a_damaged_state_is_refused() -> None:
    state = CrossMoments(3, 2).update(np.eye(3), np.eye(3)[:, :2])._state
    n_columns, next_row, precision, trees, rows = state.__getstate__()
    full = CrossMoments(3, 2).update(np.ones((2048, 3)), np.ones((2048, 2)))._state.__getstate__()
    ((first_block, n_blocks, n_samples, mean, scatter),) = full[3]
    other = _core.cpu.CrossMoments.__new__(_core.cpu.CrossMoments)
    for damaged in (
        (n_columns, next_row, precision, trees),
        (n_columns, next_row, 5, trees, rows),
        (n_columns, next_row, -1, trees, rows),
        (0, next_row, precision, trees, rows),
        (n_columns, next_row, precision, trees, [(0, np.ones(7))]),  # not whole rows
        (n_columns, next_row, precision, trees, [(-1, rows[0][1])]),
        (n_columns, next_row, precision, trees, [(1, rows[0][1])]),  # past the next row
        (n_columns, 5000, precision, trees, [(0, np.ones(1024 * 5))]),  # a whole block is no remainder
        (n_columns, 5000, precision, trees, [(1000, np.ones(100 * 5))]),  # over the edge of a block
        (n_columns, 5000, precision, trees, [(0, np.ones(3 * 5)), (2, np.ones(5))]),  # one row twice
        (n_columns + 40, 2048, precision, full[3], []),
        (n_columns, 2048, precision, [(first_block, 3, n_samples, mean, scatter)], []),
        (n_columns, 4096, precision, [(1, n_blocks, n_samples, mean, scatter)], []),  # not where it belongs
        (n_columns, 2048, precision, [(first_block, 2**62, n_samples, mean, scatter)], []),
        (n_columns, 2048, precision, [(first_block, n_blocks, 7, mean, scatter)], []),
        (n_columns, 1024, precision, full[3], []),  # rows that have not come yet
        (n_columns, 2048, precision, full[3], [(5, np.ones(5))]),  # rows of a tree once more
    ):
        with pytest.raises(ValueError, match=r"the snapshot is damaged: |at least one column"):
            other.__setstate__(damaged)
    other.__setstate__(full)
    assert other.n_samples == 2048


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_rows_have_no_moments(backend: str, n: int) -> None:
    state = CrossMoments(2, 1, backend=backend)
    if n:
        state.update(np.ones((1, 2)), np.ones((1, 1)))
    with pytest.raises(InputValueError, match=f"at least 2 samples; this CrossMoments holds {n}"):
        _ = state.cov_xx
    if n:
        assert (state.mean_x == 1.0).all()
    else:
        with pytest.raises(InputValueError, match="a mean needs at least 1 sample; this CrossMoments holds 0"):
            _ = state.mean_x
    assert state.update(np.zeros((2, 2)), np.zeros((2, 1))).n_samples == n + 2
    assert state.cov_xx.shape == (2, 2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("large", [1e200, 1e308])
def test_squares_that_overflow_are_an_error_sentence(backend: str, large: float) -> None:
    Y = np.array([[large], [-large], [large / 3]])
    state = CrossMoments(2, 1, backend=backend).update(np.ones((3, 2)), Y)
    with pytest.raises(InputValueError, match=r"column 2 of \[X Y labels\].*overflow float64.*rescale"):
        _ = state.cov_xx


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_features_x": 0}, InputValueError, "n_features_x must be at least 1; got 0"),
        ({"n_features_y": 2.0}, InputTypeError, r"n_features_y must be an integer of at least 1; got 2\.0"),
        ({"n_labels": -1}, InputValueError, "n_labels must be at least 0; got -1"),
        ({"n_labels": True}, InputTypeError, "n_labels must be an integer of at least 0; got True"),
        ({"first_row": -5}, InputValueError, "first_row must be at least 0; got -5"),
        ({"first_row": 2**70}, InputValueError, "first_row"),
        ({"n_threads": 0}, InputValueError, "n_threads must be at least 1; got 0"),
        ({"backend": "tpu"}, InputValueError, "backend must be one of cpu, reference"),
    ],
)
def test_bad_settings_are_named(arguments: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        CrossMoments(**{"n_features_x": 2, "n_features_y": 1, **arguments})


def test_integer_labels_are_not_taken_for_bfloat16(rng: np.random.Generator) -> None:
    X, Y = gaussian_parts(rng, 20, 2, 1)
    counts = np.arange(20, dtype=np.uint16)[:, None]
    with pytest.raises(InputTypeError, match="labels must be float"):
        CrossMoments(2, 1, 1).update(X, Y, counts)


def test_labels_where_none_are_expected(small_state: CrossMoments) -> None:
    with pytest.raises(InputValueError, match="made with n_labels=0"):
        small_state.update(np.ones((2, 2)), np.ones((2, 1)), np.ones((2, 1)))


def test_repr_says_what_is_held(small_state: CrossMoments) -> None:
    assert re.fullmatch(r"CrossMoments\(n_features_x=2, n_features_y=1\): 50 samples", repr(small_state))
    assert "n_labels=3" in repr(crossphase.CrossMoments(1, 1, 3))

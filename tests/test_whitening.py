"""Whitening matrices: identities on the directions kept, the rank that identities miss, and agreement with the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import problems
from crossphase import InputTypeError, InputValueError, whitening_matrix
from crossphase._backends import BACKENDS
from crossphase.whitening import WhiteningKind

KINDS = tuple(WhiteningKind)
DROPPING_KINDS = (WhiteningKind.ZCA, WhiteningKind.PCA)


def ridged(problem: problems.CovarianceProblem) -> np.ndarray:
    return problem.cov + problem.ridge * np.eye(problem.p)


def assert_whitens(matrix: np.ndarray, problem: problems.CovarianceProblem, kind: WhiteningKind) -> None:
    """``W (cov + ridge I) W^T``: the identity on the kept directions, zero on the others."""
    product = matrix @ ridged(problem) @ matrix.T
    n_kept = len(problem.kept)
    if kind is WhiteningKind.ZCA:  # a projector: its eigenvalues tell
        expected = np.repeat([0.0, 1.0], [problem.p - n_kept, n_kept])
        error = np.abs(np.linalg.eigvalsh(product) - expected).max()
    else:
        expected = np.diag(np.repeat([1.0, 0.0], [n_kept, problem.p - n_kept]))
        error = np.linalg.norm(product - expected, 2)
    assert error <= problem.tolerance


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", DROPPING_KINDS)
@given(problem=problems.covariances())
def test_whitens_exactly_the_directions_of_the_known_rank(
    backend: str, kind: WhiteningKind, problem: problems.CovarianceProblem
) -> None:
    result = whitening_matrix(problem.cov, kind=kind, ridge=problem.ridge, backend=backend)
    assert result.n_kept == len(problem.kept)  # whitened noise would satisfy the identity too
    assert_whitens(result.matrix, problem, kind)
    # The singular values of W are those of (cov + ridge I)^-1/2, whatever its rotation.
    stretches = np.linalg.svd(result.matrix, compute_uv=False)[: len(problem.kept)]
    expected = 1 / np.sqrt(problem.kept[::-1])
    assert np.abs(stretches / expected - 1).max() <= problem.tolerance
    assert (result.kind, result.backend) == (kind, backend)


@pytest.mark.parametrize("backend", BACKENDS)
@given(problem=problems.covariances(full_rank=True))
def test_cholesky_is_lower_triangular_and_whitens(backend: str, problem: problems.CovarianceProblem) -> None:
    result = whitening_matrix(problem.cov, kind="cholesky", ridge=problem.ridge, backend=backend)
    assert np.array_equal(result.matrix, np.tril(result.matrix))
    assert (np.diag(result.matrix) > 0).all()
    assert result.n_kept == problem.p
    assert_whitens(result.matrix, problem, WhiteningKind.CHOLESKY)


@given(problem=problems.covariances(full_rank=True))
def test_backends_agree_where_the_answer_is_unique(problem: problems.CovarianceProblem) -> None:
    """zca and cholesky are unique; pca is not where eigenvalues coincide."""
    for kind in (WhiteningKind.ZCA, WhiteningKind.CHOLESKY):
        cpu, reference = (
            whitening_matrix(problem.cov, kind=kind, ridge=problem.ridge, backend=backend).matrix
            for backend in ("cpu", "reference")
        )
        assert np.linalg.norm(cpu - reference, 2) <= problem.tolerance * np.linalg.norm(reference, 2)


@given(problem=problems.covariances())
def test_zca_is_symmetric(problem: problems.CovarianceProblem) -> None:
    matrix = whitening_matrix(problem.cov, ridge=problem.ridge).matrix
    assert np.array_equal(matrix, matrix.T)


@pytest.mark.parametrize("backend", BACKENDS)
@given(problem=problems.covariances())
def test_pca_rows_are_ordered_and_signed(backend: str, problem: problems.CovarianceProblem) -> None:
    matrix = whitening_matrix(problem.cov, kind="pca", ridge=problem.ridge, backend=backend).matrix
    kept, dropped = np.split(matrix, [len(problem.kept)])
    lengths = np.linalg.norm(kept, axis=1)
    assert np.abs(lengths * np.sqrt(problem.kept) - 1).max() <= problem.tolerance  # variances descend, row by row
    largest = np.take_along_axis(kept, np.abs(kept).argmax(axis=1)[:, None], axis=1)
    assert (largest > 0).all()
    assert not dropped.any()


def test_pca_of_a_diagonal_covariance() -> None:
    matrix = whitening_matrix(np.diag([1.0, 16.0, 4.0]), kind="pca").matrix
    assert np.allclose(matrix, [[0, 0.25, 0], [0, 0, 0.5], [1, 0, 0]], rtol=0, atol=40 * 3 * 16 * problems.U)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", DROPPING_KINDS)
def test_rcond_decides_what_is_kept(backend: str, kind: WhiteningKind) -> None:
    """A direction at the cutoff goes, one above it stays; the ridge counts on both sides. Powers of 2: no rounding."""
    cov = np.diag([1.0, 2.0**-4, 2.0**-8, 0.0])
    counts = {
        rcond: int(whitening_matrix(cov, kind=kind, rcond=rcond, backend=backend).n_kept)
        for rcond in (0.0, 2.0**-9, 2.0**-8, 2.0**-4, 0.5)
    }
    assert counts == {0.0: 3, 2.0**-9: 3, 2.0**-8: 2, 2.0**-4: 1, 0.5: 1}
    assert whitening_matrix(cov, kind=kind, rcond=0.4, ridge=1.0, backend=backend).n_kept == 4
    assert whitening_matrix(cov, kind=kind, rcond=0.5, ridge=1.0, backend=backend).n_kept == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_zero_covariance_keeps_nothing(backend: str) -> None:
    result = whitening_matrix(np.zeros((3, 3)), backend=backend)
    assert result.n_kept == 0
    assert not result.matrix.any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_one_feature(backend: str, kind: WhiteningKind) -> None:
    result = whitening_matrix(np.array([[4.0]]), kind=kind, ridge=12.0, backend=backend)
    assert np.array_equal(result.matrix, [[0.25]])
    assert result.n_kept.shape == ()
    assert result.n_kept == 1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [(0,), (1,), (2, 3), (2, 0)])
def test_batches_keep_their_shape(backend: str, kind: WhiteningKind, batch: tuple[int, ...]) -> None:
    n = int(np.prod(batch))
    covs = [problems.covariance(seed, 4, 4, 10.0).cov for seed in range(n)]
    result = whitening_matrix(np.reshape(covs, (*batch, 4, 4)), kind=kind, backend=backend)
    assert result.matrix.shape == (*batch, 4, 4)
    assert result.n_kept.shape == batch
    one_by_one = [whitening_matrix(cov, kind=kind, backend=backend).matrix for cov in covs]
    assert np.array_equal(result.matrix.reshape(-1, 4, 4), np.reshape(one_by_one, (-1, 4, 4)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("p", [1, 16, 21])
def test_threads_do_not_change_a_byte(kind: WhiteningKind, p: int) -> None:
    covs = np.stack([problems.covariance(seed, p, p, 100.0).cov for seed in range(12)])
    results = [whitening_matrix(covs, kind=kind, n_threads=t).matrix.tobytes() for t in (1, 2, 3, 7)]
    assert set(results) == {results[0]}


def test_layout_and_type_of_the_covariance_do_not_matter() -> None:
    cov = problems.covariance(1, 6, 6, 10.0).cov.astype(np.float32)
    expected = whitening_matrix(cov.astype(np.float64)).matrix.tobytes()
    for same in (cov, np.asfortranarray(cov), cov[::-1, ::-1][::-1, ::-1], cov.astype(">f4"), cov.tolist()):
        assert whitening_matrix(same).matrix.tobytes() == expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_cholesky_of_a_singular_covariance_names_the_rank(backend: str) -> None:
    singular = np.diag([4.0, 1.0, 0.0])
    with pytest.raises(
        np.linalg.LinAlgError, match=r"cov is singular \(rank 2 of 3 with ridge 0\); pass a larger ridge"
    ):
        whitening_matrix(singular, kind="cholesky", backend=backend)
    with pytest.raises(np.linalg.LinAlgError, match=r"cov\[1\] is singular \(rank 2 of 3"):
        whitening_matrix(np.stack([np.eye(3), singular]), kind="cholesky", backend=backend)
    assert whitening_matrix(singular, kind="cholesky", ridge=1.0, backend=backend).n_kept == 3


@pytest.mark.parametrize(
    ("cov", "error", "message"),
    [
        (np.eye(2, dtype=int), InputTypeError, "cov must be a floating-point array; got int64"),
        (np.array([["a"]]), InputTypeError, "cov must be a floating-point array"),
        (np.ones(3), InputValueError, r"cov must have shape \(p, p\).*got \(3,\)"),
        (np.ones((2, 3)), InputValueError, r"cov must have shape \(p, p\).*got \(2, 3\)"),
        (np.ones((0, 0)), InputValueError, "cov must have shape"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), InputValueError, r"cov must be finite; got nan at index \(0, 1\)"),
        (np.array([[1.0, 0.5], [0.4, 1.0]]), InputValueError, r"cov must be symmetric; entry \(0, 1\).*by 0\.1"),
    ],
)
def test_bad_covariances_are_named(cov: np.ndarray, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        whitening_matrix(cov)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kind": "mahalanobis"}, InputValueError, "kind must be one of zca, pca, cholesky; got 'mahalanobis'"),
        ({"ridge": -1.0}, InputValueError, "ridge must be a finite number >= 0; got -1"),
        ({"ridge": np.inf}, InputValueError, "ridge must be a finite number"),
        ({"ridge": "a"}, InputTypeError, "ridge must be a finite number >= 0; got 'a'"),
        ({"rcond": 1.0}, InputValueError, "rcond must be .*got 1"),
        ({"rcond": np.nan}, InputValueError, "rcond must be .*got nan"),
        ({"rcond": None}, InputTypeError, "rcond must be .*got None"),
        ({"n_threads": 0}, InputValueError, "n_threads must be at least 1; got 0"),
        ({"backend": "tpu"}, InputValueError, "backend must be one of"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        whitening_matrix(np.eye(2), **options)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("seed", range(20))
def test_cholesky_refuses_singular_covariances_that_lapack_accepts(backend: str, seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((9, 10))
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        whitening_matrix(rows.T @ rows, kind="cholesky", backend=backend)


def test_symmetry_is_judged_matrix_by_matrix() -> None:
    batch = np.stack([1e12 * np.eye(2), np.array([[1.0, 0.9], [0.0, 1.0]])])
    with pytest.raises(InputValueError, match=r"symmetric; entry \(1, 0, 1\) differs"):
        whitening_matrix(batch)

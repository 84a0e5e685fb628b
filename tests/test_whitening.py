"""Whitening matrices: identities on the directions kept, the rank that identities miss, and agreement with the reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given

import problems
from crossphase import InputTypeError, InputValueError, _core, reference, whitening_matrix
from crossphase._backends import BACKENDS
from crossphase.whitening import WhiteningKind

KINDS = tuple(WhiteningKind)
DROPPING_KINDS = (WhiteningKind.ZCA, WhiteningKind.PCA)
ROOT_METHODS = ("rational", "newton_schulz")  # zca without eigenvectors
IN_LANES = _core.cpu.largest_in_lanes


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


# Methods ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ROOT_METHODS)
@given(problem=problems.covariances(full_rank=True))
def test_roots_without_eigenvectors_whiten(method: str, backend: str, problem: problems.CovarianceProblem) -> None:
    result = whitening_matrix(problem.cov, method=method, ridge=problem.ridge, backend=backend)
    # Norms bound what newton_schulz can be sure of: |L| |L^-1| is at most p times the root of the condition.
    if problem.condition * problem.p**2 < 1e5:
        assert result.method == method
    else:
        assert result.method in (method, "eigh")
    assert result.n_kept == problem.p
    # Where the reference falls back, a BLAS product of eigenvectors rounds both triangles by themselves.
    if backend == "cpu" or result.method == method:
        assert np.array_equal(result.matrix, result.matrix.T)
    assert_whitens(result.matrix, problem, WhiteningKind.ZCA)
    expected = whitening_matrix(problem.cov, method="eigh", ridge=problem.ridge, backend="reference").matrix
    assert np.linalg.norm(result.matrix - expected, 2) <= problem.tolerance * np.linalg.norm(expected, 2)


@pytest.mark.parametrize("p", [IN_LANES - 1, IN_LANES, IN_LANES + 1, 135])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", [1.0, 1e3])
def test_both_sides_of_the_largest_size_in_lanes(p: int, kind: WhiteningKind, condition: float) -> None:
    problem = problems.covariance(p, p, p, condition, scale=7.0)
    result = whitening_matrix(problem.cov, kind=kind)
    expected = "cholesky" if kind is WhiteningKind.CHOLESKY else "eigh"
    assert result.method == ("rational" if kind is WhiteningKind.ZCA and p > IN_LANES else expected)
    assert result.n_kept == p
    assert_whitens(result.matrix, problem, kind)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("method", ROOT_METHODS)
@pytest.mark.parametrize("p", [6, IN_LANES + 5])
def test_methods_fall_back_where_eigenvectors_are_needed(method: str, p: int, backend: str) -> None:
    """Next to a matrix that does not need them: rank deficient, indefinite, too ill-conditioned, a coarse rcond's."""
    easy, flat = problems.covariance(1, p, p, 50.0), problems.covariance(2, p, p - 2, 10.0)
    hard = problems.covariance(3, p, p, 1e13)
    covs = np.stack([easy.cov, flat.cov, easy.cov - 0.1 * np.eye(p), hard.cov, easy.cov])
    result = whitening_matrix(covs, method=method, backend=backend)
    assert result.method.tolist() == [method, "eigh", "eigh", "eigh", method]
    by_eigenvalues = whitening_matrix(covs, method="eigh", backend=backend)
    assert np.array_equal(result.n_kept, by_eigenvalues.n_kept)
    assert result.n_kept[1] == p - 2
    assert np.array_equal(result.matrix[1:4], by_eigenvalues.matrix[1:4])  # eigh's own bytes
    coarse = whitening_matrix(easy.cov, method=method, rcond=0.1, backend=backend)
    assert coarse.method == "eigh"
    assert coarse.n_kept == (easy.eigenvalues > 0.1).sum() < p


@pytest.mark.parametrize(
    ("kind", "method", "message"),
    [
        ("zca", "cholesky", "method 'cholesky' cannot make kind 'zca', which needs 'eigh' or 'rational' or"),
        (
            "pca",
            "cholesky",
            "method 'cholesky' cannot make kind 'pca', which needs 'eigh'; pass method='auto', or kind",
        ),
        ("pca", "newton_schulz", "cannot make kind 'pca', which needs 'eigh'; pass method='auto', or kind='zca'"),
        ("pca", "rational", "cannot make kind 'pca'"),
        ("cholesky", "eigh", "method 'eigh' cannot make kind 'cholesky', which needs 'cholesky'"),
        ("cholesky", "newton_schulz", "method 'newton_schulz' cannot make kind 'cholesky'"),
        ("zca", "svd", "method must be one of auto, cholesky, eigh, rational, newton_schulz; got 'svd'"),
    ],
)
def test_a_method_that_cannot_make_the_kind_is_named(kind: str, method: str, message: str) -> None:
    with pytest.raises(InputValueError, match=message):
        whitening_matrix(np.eye(2), kind=kind, method=method)


# Batches ------------------------------------------------------------------------------------------------------------

WAYS = (("zca", "eigh"), ("pca", "eigh"), ("cholesky", "cholesky"), ("zca", "rational"), ("zca", "newton_schulz"))


@pytest.mark.parametrize(("kind", "method"), WAYS)
@pytest.mark.parametrize("p", [3, 21, IN_LANES + 1])
def test_a_result_depends_on_its_own_matrix_alone(kind: str, method: str, p: int) -> None:
    """Bytes stay the same for any batch around a matrix, any place in it and any number of threads."""
    # Very different neighbours: lanes end their iterations at different times.
    covs = np.stack(
        [problems.covariance(seed, p, p, 10.0 ** (seed % 5), scale=10.0 ** (seed - 9)).cov for seed in range(19)]
    )
    alone = [whitening_matrix(cov, kind=kind, method=method) for cov in covs]
    for n_threads in (1, 2, 5):
        for order in (np.arange(19), np.random.default_rng(n_threads).permutation(19), np.arange(19)[:7][::-1]):
            result = whitening_matrix(covs[order], kind=kind, method=method, n_threads=n_threads)
            for place, index in enumerate(order):
                assert result.matrix[place].tobytes() == alone[index].matrix.tobytes()
                assert result.method[place] == alone[index].method


@pytest.mark.parametrize(("kind", "method"), WAYS)
@pytest.mark.parametrize("p", [5, IN_LANES + 3])
@pytest.mark.parametrize("spoilt", [0, 3, 10])
def test_one_bad_matrix_in_a_batch_is_named(kind: str, method: str, p: int, spoilt: int) -> None:
    covs = np.stack([problems.covariance(seed, p, p, 5.0).cov for seed in range(11)])
    for value, message in (
        (np.nan, rf"finite; got nan at index \({spoilt}, 4, 2\)"),
        (-np.inf, rf"finite; got -inf at index \({spoilt}, 4, 2\)"),
        (2.0, rf"symmetric; entry \({spoilt}, 2, 4\)"),
    ):
        bad = covs.copy()
        bad[spoilt, 4, 2] = value
        with pytest.raises(InputValueError, match=message):
            whitening_matrix(bad, kind=kind, method=method)
    bad = covs.copy()
    bad[spoilt, 3, 3] = np.inf
    with pytest.raises(InputValueError, match=rf"finite; got inf at index \({spoilt}, 3, 3\)"):
        whitening_matrix(bad, kind=kind, method=method)


def awkward_matrices(p: int) -> Iterator[tuple[str, np.ndarray]]:
    rng = problems.generator(p)
    yield "zero", np.zeros((p, p))
    yield "identity", np.eye(p)
    yield "ones", np.ones((p, p))
    yield "diagonal", np.diag(np.arange(p, 0.0, -1.0))
    yield "anti-diagonal", np.eye(p)[::-1]
    yield "negative", -problems.covariance(1, p, p, 10.0).cov
    yield "graded", np.diag(10.0 ** -np.arange(p)) + 1e-3 * np.outer(10.0 ** -np.arange(p), 10.0 ** -np.arange(p))
    yield "blocks", np.kron(np.diag(np.arange(1.0, p // 2 + 1)), np.array([[2.0, 1.0], [1.0, 2.0]]))
    yield "second difference", 2 * np.eye(p) - np.eye(p, k=1) - np.eye(p, k=-1)
    yield "Wilkinson", np.diag(np.abs(np.arange(p) - (p - 1) / 2)) + np.eye(p, k=1) + np.eye(p, k=-1)
    yield "rank one", np.outer(*[rng.standard_normal(p)] * 2)
    yield "huge", 1e300 * problems.covariance(2, p, p, 10.0).cov
    yield "tiny", 1e-300 * problems.covariance(3, p, p, 10.0).cov
    yield "one entry", np.outer(np.eye(p)[p // 2], np.eye(p)[p // 2])


@pytest.mark.parametrize("p", [2, 8, 30, IN_LANES + 2])
def test_eigenvalues_of_awkward_matrices(p: int) -> None:
    """All in one batch, so that lanes differ; the singular values of W against numpy's eigenvalues."""
    names, covs = zip(*awkward_matrices(p), strict=True)
    result = whitening_matrix(np.stack(covs), rcond=1e-10)
    for name, cov, matrix, n_kept in zip(names, covs, result.matrix, result.n_kept, strict=True):
        values = np.linalg.eigvalsh(cov)
        kept = values[values > 1e-10 * max(values[-1], 0.0)]
        kept = kept[kept > 0]
        assert n_kept == len(kept), name
        if len(kept):
            stretches = np.linalg.svd(matrix, compute_uv=False)[: len(kept)]
            # An eigenvalue errs by 40 p u of the largest in size, twice: here and in numpy; its root by half of that.
            error = np.abs(stretches * np.sqrt(kept) - 1).max()
            assert error <= 40 * p * problems.U * np.abs(values).max() / kept[0], name


# Accuracy (2e of the speed targets: never worse than numpy's eigenvectors and a cutoff) ---------------------------------

SPECTRA: dict[str, Callable[[int], np.ndarray]] = {
    "condition 1e3": lambda p: np.geomspace(1, 1e-3, p),
    "condition 1e6": lambda p: np.geomspace(1, 1e-6, p),
    "condition 1e8": lambda p: np.geomspace(1, 1e-8, p),
    "one small": lambda p: np.append(np.ones(p - 1), 1e-8),
    "one large": lambda p: np.append(1e8, np.ones(p - 1)),
    "two clusters": lambda p: np.repeat([1.0, 1e-8], [p // 2, p - p // 2]),
    "half rank": lambda p: np.append(np.geomspace(1, 1e-6, p // 2), np.zeros(p - p // 2)),
    "rank one": lambda p: np.append(1.0, np.zeros(p - 1)),
}


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("p", [24, 64, IN_LANES + 16])
def test_as_accurate_as_eigh_and_a_cutoff(spectrum: str, p: int) -> None:
    eigenvalues = SPECTRA[spectrum](p)
    rank = int((eigenvalues > 0).sum())
    ours, numpys = [], []
    for seed in range(15):
        vectors = problems.orthogonal(problems.generator(seed), p)
        cov = (vectors * eigenvalues) @ vectors.T
        cov = (cov + cov.T) / 2
        result = whitening_matrix(cov)
        values, found = np.linalg.eigh(cov)
        keep = values > 1e-12 * values[-1]
        expected = (found[:, keep] / np.sqrt(values[keep])) @ found[:, keep].T
        assert result.n_kept == keep.sum() == rank
        for residuals, matrix in ((ours, result.matrix), (numpys, expected)):
            product = np.linalg.eigvalsh(matrix @ cov @ matrix)
            residuals.append(np.abs(product - np.repeat([0.0, 1.0], [p - rank, rank])).max())
    # Two backward stable algorithms differ by chance, by up to 4 on one matrix; not by 2 in the median of 15. The second
    # term is the rounding of the three products that measure.
    assert np.median(ours) <= 2 * np.median(numpys) + 3 * problems.U * np.sqrt(p)


# Instruction sets -----------------------------------------------------------------------------------------------------

ON_EVERY_PATH = """
import json
import numpy as np
from crossphase import _core, whitening_matrix
rng = np.random.default_rng(0)
worst = {}
for p in (1, 4, 19, 64, _core.cpu.largest_in_lanes + 4):
    vectors = np.linalg.qr(rng.standard_normal((9, p, p)))[0]
    covs = (vectors * np.geomspace(1, 1e-2, p)) @ np.swapaxes(vectors, 1, 2)
    for kind, method in (("zca", "eigh"), ("pca", "eigh"), ("cholesky", "cholesky"), ("zca", "rational")):
        result = whitening_matrix(covs, kind=kind, method=method)
        assert (result.method == method).all()
        products = result.matrix @ covs @ np.swapaxes(result.matrix, 1, 2)
        worst[f"{kind} {method} {p}"] = np.linalg.norm(products - np.eye(p), 2, axis=(1, 2)).max() / p
print(json.dumps([_core.cpu.instruction_set(), worst]))
"""


@pytest.mark.parametrize("name", _core.cpu.available_instruction_sets())
def test_every_instruction_set_whitens(run_python: Callable[..., SimpleNamespace], name: str) -> None:
    process = run_python(ON_EVERY_PATH, CROSSPHASE_ISA=name)
    assert process.returncode == 0, process.stderr
    used, worst = json.loads(process.stdout)
    assert used == name
    assert max(worst.values()) <= 40 * problems.U * 100, worst  # as `problems.CovarianceProblem.tolerance`, by p


def test_codes_of_the_methods_agree() -> None:
    assert tuple(member.name for member in _core.cpu.WhiteningMethod) == reference.whitening.METHODS

"""Can labels be predicted from a view at all: in how many directions, and which of them?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase._scalars import check_integer
from crossphase._seeds import Seed, derived_generator, seed_sequence
from crossphase._threads import resolve_n_threads, single_threaded_blas
from crossphase.errors import InputValueError
from crossphase.labels import LabelMatrix, encode_labels
from crossphase.principal_scores import PrincipalScores, principal_scores
from crossphase.resampling import random_signs
from crossphase.row_blocks import RowBlocks, block_rows, check_groups
from crossphase.samples import Samples, as_samples, require_finite
from crossphase.shared_signal import SharedSignal, checked_options, count_in_scores

_STREAM = 0x6C61626C  # "labl": keeps these streams apart from others of the same seed
_MOST_COMPONENTS = 512  # of the view, in the regressions
_CHUNK_VALUES = 2**22  # right-hand sides solved at once: 32 MiB


@dataclass(frozen=True, slots=True, eq=False)
class LabelRecoverability:
    """How well a view predicts each label column on rows it was not fitted to, beside what chance would reach."""

    column_names: tuple[str, ...]  # (n_columns,), as `encode_labels` names classes and measurements
    r2: np.ndarray  # (n_columns,), cross-validated; below 0 where the mean predicts better
    null_levels: np.ndarray  # (n_columns,): r2 of a label without signal exceeds it with probability `level`
    p_values: np.ndarray  # (n_columns,), each column for itself
    familywise_p_values: np.ndarray  # (n_columns,): chance that any column without signal looks as good
    level: float
    n_samples: int  # labelled rows
    n_folds: int
    n_resamples: int

    @property
    def is_recoverable(self) -> np.ndarray:
        """Which columns are predictable, (n_columns,) booleans; one wrong among all with probability `level`."""
        return np.asarray(self.familywise_p_values <= self.level)


def label_signal_rank(
    X: Any,
    labels: Any,
    *,
    groups: Any = None,
    method: str = "sign_flip",
    level: float = 0.05,
    n_resamples: int = 199,
    rng: Seed = 0,
    n_threads: int | None = None,
) -> SharedSignal:
    """Test how many directions of the labels a view predicts: `count_shared_directions` of the view and the label matrix.

    Parameters
    ----------
    X : array, shape (n_samples, n_features), floating point
    labels : array, list, mapping or data frame
        As for `encode_labels`. In a floating-point array NaN marks what is not known: rows with a NaN are left out.
    groups, method, level, n_resamples, rng, n_threads
        As for `count_shared_directions`.

    Returns
    -------
    SharedSignal
        With the label matrix as Y: `n_directions` is the rank of the signal. K classes have at most K - 1 directions.

    Raises
    ------
    InputValueError, InputTypeError
        What either function refuses; fewer than 8 labelled rows.
    """
    options = checked_options(method, level, n_resamples)
    threads = resolve_n_threads(n_threads)
    view = _labelled(X, labels, groups, threads)
    label_samples = as_samples(view.labels.values, "labels")
    return count_in_scores(
        principal_scores(view.samples), principal_scores(label_samples), view.groups, options, rng, threads
    )


def label_recoverability(
    X: Any,
    labels: Any,
    *,
    groups: Any = None,
    n_folds: int = 5,
    level: float = 0.05,
    n_resamples: int = 199,
    rng: Seed = 0,
    n_threads: int | None = None,
) -> LabelRecoverability:
    """Cross-validated R² of every label column from a view, and its null level.

    Parameters
    ----------
    X : array, shape (n_samples, n_features), floating point
    labels : array, list, mapping or data frame
        As for `encode_labels`; a class is a column of zeros and ones, so it has an R² of its own. In a floating-point array
        NaN marks what is not known: rows with a NaN are left out.
    groups : array, shape (n_samples,), optional
        Rows of one group stay in one fold and are flipped together. At least `n_folds` of them, and 7 at the level .05.
    n_folds : int, >= 2, default 5
    level : float, in (0, 1), default .05
    n_resamples : int, default 199
        Sign flips of the labels.
    rng : int, numpy.random.SeedSequence or numpy.random.Generator, default 0
        Of the folds and the flips.
    n_threads : int, optional
        For reading X. Default: ``CROSSPHASE_NUM_THREADS``, else one a core.

    Returns
    -------
    LabelRecoverability

    Raises
    ------
    InputValueError, InputTypeError
        As `label_signal_rank`, and for fewer rows or groups than folds.

    Notes
    -----
    ``1 - Σ (label - prediction)² / Σ (label - mean)²`` over held-out rows. Predictions are ridge regressions on the columns
    of X scaled to unit variance, with the ridge that is best if half of a label's variance is signal, spread evenly over the
    columns: one unit of sums of squares a column. It looks at no label, so that the flips need no choice of their own. Only the
    512 leading principal components are used. The null flips the centred labels of whole blocks (`count_shared_directions`)
    within the same folds: all flips follow from one pass of products, block by block. Familywise p-values compare every
    column, in standard deviations of its null, with the largest of all columns.

    References
    ----------
    Ridge: Hoerl, Kennard & Baldwin (1975), Commun. Stat. 4, 105-123. Maximum over columns: Westfall & Young (1993),
    Resampling-Based Multiple Testing.
    """
    folds = check_integer(n_folds, "n_folds", least=2)
    options = checked_options("sign_flip", level, n_resamples)
    threads = resolve_n_threads(n_threads)
    view = _labelled(X, labels, groups, threads)
    scores = principal_scores(view.samples)
    generator = derived_generator(seed_sequence(rng), _STREAM)
    n = view.labels.n_samples
    n_units = n if view.groups is None else int(view.groups.max()) + 1
    blocks = block_rows(n, view.groups, generator.permutation(n_units))
    least = max(folds, math.ceil(math.log2(2 / options.level)) + 1)
    if len(blocks) < least:
        units = "labelled rows" if view.groups is None else "groups"
        raise InputValueError(
            f"at least {least} {units} are needed for {folds} folds and a level of {options.level:g}; got {len(blocks)}."
        )
    with single_threaded_blas():
        regressions = _FoldedRegressions(scores, view.labels.values, blocks, folds)
        observed = regressions.r2(np.ones((1, len(blocks))))[0]
        null = regressions.r2(random_signs(generator, options.n_resamples, len(blocks)))
    return _compared_with_null(view.labels.column_names, observed, null, options.level, n, folds)


def _compared_with_null(
    names: tuple[str, ...], observed: np.ndarray, null: np.ndarray, level: float, n: int, n_folds: int
) -> LabelRecoverability:
    everything = np.vstack([observed, null])  # the observed is one of the flips
    count = len(everything)
    deviations = everything.std(axis=0)
    standardized = (everything - everything.mean(axis=0)) / np.where(deviations > 0, deviations, 1.0)
    largest = standardized.max(axis=1)
    rank = math.ceil((1 - level) * count - 1e-9)
    return LabelRecoverability(
        column_names=names,
        r2=observed,
        null_levels=np.sort(null, axis=0)[rank - 1],
        p_values=(everything >= observed).sum(axis=0) / count,
        familywise_p_values=(largest[:, None] >= standardized[0]).sum(axis=0) / count,
        level=level,
        n_samples=n,
        n_folds=n_folds,
        n_resamples=len(null),
    )


class _FoldedRegressions:
    """Ridge regressions of labels with signs, from products of blocks of rows; block t is in fold ``t % n_folds``."""

    def __init__(self, view: PrincipalScores, labels: np.ndarray, blocks: RowBlocks, n_folds: int) -> None:
        rank = min(view.rank, _MOST_COMPONENTS)
        centred = labels - labels.mean(axis=0)
        self._fold_of_block = np.arange(len(blocks)) % n_folds
        self._products = np.empty((len(blocks), rank + 1, labels.shape[1]))
        self._grams = np.zeros((n_folds, rank + 1, rank + 1))
        for block, fold in enumerate(self._fold_of_block):
            rows = blocks.rows(block)
            design = np.hstack([np.ones((len(rows), 1)), view.scores(rows, rank, is_white=False)])
            self._products[block] = design.T @ centred[rows]
            self._grams[fold] += design.T @ design
        self._n_samples = len(labels)
        self._sums_of_squares = (centred**2).sum(axis=0)
        self._penalty = np.diag([0.0, *[float(view.n_varying)] * rank])  # none on the intercept

    def r2(self, signs: np.ndarray) -> np.ndarray:
        """Cross-validated R² of the labels times the blocks' signs, shape (n_signs, n_labels)."""
        n_values = self._products[0].size
        step = max(_CHUNK_VALUES // n_values, 1)
        return np.vstack([self._r2(signs[i : i + step]) for i in range(0, len(signs), step)])

    def _r2(self, signs: np.ndarray) -> np.ndarray:
        n_signs, (_, width, n_labels) = len(signs), self._products.shape
        n_folds = len(self._grams)
        by_fold = np.empty((n_folds, width, n_signs, n_labels))
        for fold in range(n_folds):
            held = self._fold_of_block == fold
            products = signs[:, held] @ self._products[held].reshape(held.sum(), -1)
            by_fold[fold] = products.reshape(n_signs, width, n_labels).swapaxes(0, 1)
        total, gram = by_fold.sum(axis=0), self._grams.sum(axis=0)
        residual = np.broadcast_to(self._sums_of_squares, (n_signs, n_labels)).copy()  # signs leave squares as they are
        for held_out, held_gram in zip(by_fold, self._grams, strict=True):
            targets = (total - held_out).reshape(width, -1)
            weights = np.linalg.solve(gram - held_gram + self._penalty, targets)
            explained = 2 * held_out.reshape(width, -1) - held_gram @ weights
            residual -= (weights * explained).sum(axis=0).reshape(n_signs, n_labels)
        means = total[0] / self._n_samples
        spread = self._sums_of_squares - self._n_samples * means**2
        return np.asarray(1 - residual / spread)


@dataclass(frozen=True, slots=True, eq=False)
class _LabelledView:
    """The rows whose labels are known."""

    samples: Samples
    labels: LabelMatrix
    groups: np.ndarray | None


def _labelled(X: Any, labels: Any, groups: Any, n_threads: int) -> _LabelledView:
    samples = as_samples(X, "X")
    codes = None if groups is None else check_groups(groups, samples.n_samples)
    known = _known_rows(labels)
    if known is None:
        matrix = encode_labels(labels)
        n_rows = matrix.n_samples
    else:
        n_rows = len(known)
        if not known.any():
            raise InputValueError("labels are missing (NaN) in every row; at least 8 labelled rows are needed.")
        matrix = encode_labels(np.asarray(labels)[known])
    if n_rows != samples.n_samples:
        raise InputValueError(f"labels must have one row for each of the {samples.n_samples} rows of X; got {n_rows}.")
    if known is not None and not known.all():
        samples = Samples(samples.values[known], samples.name)
        codes = None if codes is None else check_groups(codes[known], int(known.sum()))
    require_finite(samples, n_threads)
    return _LabelledView(samples, matrix, codes)


def _known_rows(labels: Any) -> np.ndarray | None:
    """Rows without NaN; None where labels are no floating-point array."""
    if not isinstance(labels, np.ndarray) or labels.dtype.kind != "f" or labels.ndim not in (1, 2):
        return None
    missing = np.isnan(labels)
    return np.asarray(~(missing if labels.ndim == 1 else missing.any(axis=1)))

"""``rehearse``: every objective in closed form, probed on rows it was not fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase._scalars import check_choice, check_integer, check_number
from crossphase._seeds import Seed, derived_generator, seed_sequence
from crossphase._threads import resolve_n_threads, single_threaded_blas
from crossphase.errors import InputTypeError, InputValueError
from crossphase.fold_moments import FoldMoments, moments_of_checked
from crossphase.folds import assign_folds
from crossphase.labels import LabelMatrix, encode_labels
from crossphase.reference.moments import to_float64
from crossphase.rehearsal.candidates import AtUse, Candidate, Heads, fit_heads
from crossphase.rehearsal.probes import predict_classes, predict_values
from crossphase.rehearsal.result import BudgetRehearsal, Rehearsal
from crossphase.rehearsal.ridge_choice import choose_ridge
from crossphase.rehearsal.scoring import Resample, score_classes, score_values
from crossphase.row_blocks import check_groups
from crossphase.samples import Samples, as_samples, require_finite, require_same_rows

_STREAM = 0x72656865  # "rehe": keeps these streams apart from others of the same seed
_MOST_TRAIN = 600  # labelled rows a probe is trained on: with more, candidates rarely change places and time grows
_MOST_HELD_OUT = 400  # labelled rows a fold is judged on: 5 folds then err by about 1 point of accuracy
_FEW_LABELS = 500  # up to here heads, not probes, take the time, and probes need every label
_N_DRAWS = 2  # label draws a fold, where the budget leaves a choice
_MANY_LABELS = 2000  # from here on one draw a fold tells as much as two did


@dataclass(frozen=True, slots=True, eq=False)
class _Target:
    """One label variable of the labelled rows."""

    values: np.ndarray  # (n_labelled,): class codes (integers) or measurements

    @property
    def is_classes(self) -> bool:
        return self.values.dtype.kind == "i"


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """Checked input."""

    x: Samples
    y: Samples
    targets: tuple[_Target, ...]
    labelled_rows: np.ndarray  # (n_labelled,)
    folds: np.ndarray  # (n_samples,)
    groups: np.ndarray | None  # (n_labelled,)
    budgets: tuple[int | None, ...]
    width: int
    ridges: tuple[float, ...]
    seed: np.random.SeedSequence


def rehearse(
    X: Any,
    Y: Any,
    labels: Any,
    *,
    n_components: int = 64,
    ridge: float | Sequence[float] = (0.1, 1.0),
    label_budgets: Sequence[int | None] = (100, 300, None),
    at_use: str = "both",
    labelled_rows: Any = None,
    groups: Any = None,
    n_folds: int | None = None,
    rng: Seed = 0,
    n_threads: int | None = None,
) -> Rehearsal:
    """What each objective would be worth: fitted in closed form to training folds, probed on held-out rows.

    Parameters
    ----------
    X, Y : array, shapes (n_samples, n_features_x) and (n_samples, n_features_y)
        Row i of one belongs to row i of the other. Columns are standardized by the training rows of a fold; dead columns (a
        deviation below 1e-6 of the view's median one) are ignored.
    labels : array, list, mapping or frame of n_samples rows (None and NaN: no label), or of as many as `labelled_rows`
        Strings, booleans and integers are classes, probed by logistic regression (C = 0.1) and judged by balanced accuracy;
        floats are measurements, probed by ridge regression (alpha = 1) and judged by R². Several variables are averaged.
    n_components : int, default 64
        Width of a head: its outputs span at most so many directions and have so much variance in total.
    ridge : float > 0 or several, default (0.1, 1.0)
        Candidates for the ridge of the closed forms, in units of the mean variance; each fold takes the one that predicts one
        view from the other best on an inner fold, labels unseen.
    label_budgets : sequence of int or None, default (100, 300, None)
        Labels that train a probe; None for all. The heads are fitted to all training pairs whatever the budget.
    at_use : {"both", "x", "y"}
        Which views there will be when the representation is used. All candidates are rehearsed, since those that need the
        other view tell what it has to give; `decide` chooses among those at hand.
    labelled_rows : array of int, optional
        Positions of the rows that `labels` are of, where most pairs have none. Default: all rows.
    groups : array, shape (n_samples,), optional
        Rows of one group are never on both sides of a split, and count once in the intervals.
    n_folds : int, optional
        Default: 5, or 10 where at most 500 rows are labelled, so that probes miss few of them; no more than there are groups.
    rng : int, SeedSequence or Generator
    n_threads : int, optional

    Returns
    -------
    Rehearsal

    Raises
    ------
    InputValueError, InputTypeError

    Notes
    -----
    Moments of all folds come from one pass; a fold's heads are fitted to the moments of the others. A probe is trained on at
    most 600 labelled rows of the training folds and judged on at most 400 of the held-out one. Cost
    O(n (p + q)² + n_folds (p + q)³), memory independent of n beside the input.

    References
    ----------
    Kamai et al. (2026), arXiv:2606.11190 (objectives, probes).
    """
    threads = resolve_n_threads(n_threads)
    use = check_choice(at_use, "at_use", AtUse)
    x, y = (as_samples(values, name, uint16_is_bfloat16=True) for values, name in ((X, "X"), (Y, "Y")))
    require_same_rows(x, y)
    for samples in (x, y):
        require_finite(samples, threads)
    if labelled_rows is None:
        matrix = encode_labels(labels, allow_missing=True)
        if matrix.n_samples != x.n_samples:
            raise InputValueError(
                f"labels must have one value for each of the {x.n_samples} rows of X and Y; got {matrix.n_samples}. Pass "
                "labelled_rows where only some rows have labels."
            )
    else:
        rows = _checked_rows(labelled_rows, x.n_samples)
        own = encode_labels(labels)
        if own.n_samples != len(rows):
            raise InputValueError(
                f"labels must have one value for each of the {len(rows)} labelled rows; got {own.n_samples}."
            )
        places = np.full(x.n_samples, -1)
        places[rows] = np.arange(len(rows))
        matrix = own.take(places)
    return rehearse_checked(
        x,
        y,
        matrix,
        n_components=check_integer(n_components, "n_components", least=1),
        ridges=_checked_ridges(ridge),
        label_budgets=_checked_budgets(label_budgets),
        at_use=use,
        groups=None if groups is None else check_groups(groups, x.n_samples),
        n_folds=None if n_folds is None else check_integer(n_folds, "n_folds", least=2),
        seed=seed_sequence(rng),
        n_threads=threads,
    )


def rehearse_checked(
    x: Samples,
    y: Samples,
    labels: LabelMatrix,
    *,
    n_components: int = 64,
    ridges: tuple[float, ...] = (0.1, 1.0),
    label_budgets: tuple[int | None, ...] = (100, 300, None),
    at_use: AtUse = AtUse.BOTH,
    groups: Any = None,
    n_folds: int | None = None,
    seed: np.random.SeedSequence,
    n_threads: int,
) -> Rehearsal:
    """`rehearse` on arguments that have been checked: finite samples, encoded labels."""
    n = x.n_samples
    rows = np.flatnonzero(labels.is_labelled)
    targets = _targets(labels, rows)
    k = _default_folds(len(rows), groups) if n_folds is None else n_folds
    classes = np.zeros(n, dtype=np.int64)
    strata = next((t.values for t in targets if t.is_classes), np.zeros(len(rows), dtype=np.int64))
    classes[rows] = 1 + strata
    folds = assign_folds(n, k, groups=groups, classes=classes, rng=derived_generator(seed, _STREAM, 0))
    problem = _Problem(
        x=x,
        y=y,
        targets=targets,
        labelled_rows=rows,
        folds=folds,
        groups=None if groups is None else np.asarray(groups)[rows],
        budgets=label_budgets,
        width=n_components,
        ridges=ridges,
        seed=seed,
    )
    counts = np.bincount(folds, minlength=k)
    if counts.min() < 2:
        raise InputValueError(
            f"X and Y need at least 2 rows in each of n_folds={k} folds; got {n} rows. Use fewer folds or more pairs."
        )
    n_judged = len(np.unique(folds[rows]))
    if n_judged < 2 or len(rows) < 2 * k:
        raise InputValueError(
            f"labels must reach at least 2 folds and {2 * k} rows, two a fold; got {len(rows)} labelled rows in {n_judged} of "
            f"{k} folds. Label more rows, or use fewer folds."
        )
    moments = moments_of_checked([x, y], folds, n_threads=n_threads)
    with single_threaded_blas(), ThreadPoolExecutor(n_threads) as pool:
        parts = list(pool.map(lambda f: _rehearse_fold(problem, moments, f), range(k)))
    return Rehearsal(
        at_use=at_use,
        metric=_metric(targets),
        chance=float(np.mean([1 / (t.values.max() + 1) if t.is_classes else 0.0 for t in targets])),
        budgets=tuple(
            _summarize(problem, budget, [part for _, fold in parts for part in fold[b]])
            for b, budget in enumerate(problem.budgets)
        ),
        ridges=tuple(chosen for chosen, _ in parts),
        width=problem.width,
        n_samples=n,
        n_labelled=len(rows),
        n_folds=k,
    )


def _rehearse_fold(
    problem: _Problem, moments: FoldMoments, fold: int
) -> tuple[float, list[list[tuple[Resample, ...]]]]:
    """The ridge taken, and for every budget the resamples of this fold, one a target and draw."""
    generator = derived_generator(problem.seed, _STREAM, 1, fold)
    ridge = choose_ridge(moments, fold, problem.ridges)
    heads = fit_heads(moments.train(fold), width=problem.width, ridge=ridge)
    is_held_out = problem.folds[problem.labelled_rows] == fold
    held_out = _at_most(np.flatnonzero(is_held_out), _MOST_HELD_OUT, generator)
    pool = np.flatnonzero(~is_held_out)
    found: list[list[tuple[Resample, ...]]] = []
    if len(held_out) == 0 or len(pool) == 0:
        return ridge, [[] for _ in problem.budgets]
    test = _rows_of(problem, heads, held_out)
    test_features = {c: heads.features(c, *test) for c in Candidate}
    for budget in problem.budgets:
        size = min(len(pool) if budget is None else budget, len(pool), _MOST_TRAIN)
        resamples = []
        n_draws = _N_DRAWS if budget is not None and size < len(pool) and len(pool) < _MANY_LABELS else 1
        for _ in range(n_draws):
            drawn = _at_most(pool, size, generator)
            train = _rows_of(problem, heads, drawn)
            train_features = {c: heads.features(c, *train) for c in Candidate}
            resamples.append(
                tuple(
                    Resample(held_out, _outcomes(target, drawn, held_out, train_features, test_features), size)
                    for target in problem.targets
                )
            )
        found.append(resamples)
    return ridge, found


def _outcomes(
    target: _Target,
    drawn: np.ndarray,
    held_out: np.ndarray,
    train: dict[Candidate, np.ndarray],
    test: dict[Candidate, np.ndarray],
) -> np.ndarray:
    """Hits, or squared errors, of every candidate on the held-out rows."""
    known, truth = target.values[drawn], target.values[held_out]
    if target.is_classes:
        return np.array([predict_classes(train[c], known, test[c]) == truth for c in train], dtype=np.float64)
    return np.array([(predict_values(train[c], known, test[c]) - truth) ** 2 for c in train])


def _summarize(problem: _Problem, budget: int | None, resamples: list[tuple[Resample, ...]]) -> BudgetRehearsal:
    """Scores averaged over the targets, whose errors are taken for fully dependent: the worst that they can be."""
    n_train = float(np.mean([targets[0].n_train for targets in resamples]))
    overlap = min(1.0, n_train / max(len(problem.labelled_rows), 1))
    values, covariances = [], []
    for place, target in enumerate(problem.targets):
        score = score_classes if target.is_classes else score_values
        scores = score([targets[place] for targets in resamples], target.values, problem.groups, overlap)
        values.append(scores.values)
        covariances.append(scores.covariance)
    return BudgetRehearsal(budget, n_train, tuple(Candidate), np.mean(values, axis=0), np.mean(covariances, axis=0))


def _rows_of(problem: _Problem, heads: Heads, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = problem.labelled_rows[places]
    return heads.standardize(to_float64(problem.x.values[rows]), to_float64(problem.y.values[rows]))


def _at_most(places: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    return places if len(places) <= size else np.sort(generator.choice(places, size, replace=False))


def _targets(matrix: LabelMatrix, rows: np.ndarray) -> tuple[_Target, ...]:
    targets = []
    for variable in matrix.variables:
        values = matrix.values[rows, variable.first : variable.stop]
        targets.append(_Target(values.argmax(axis=1).astype(np.int64) if variable.is_classes else values[:, 0]))
    return tuple(targets)


def _metric(targets: tuple[_Target, ...]) -> str:
    kinds = {target.is_classes for target in targets}
    return "mean_of_both" if len(kinds) > 1 else "balanced_accuracy" if kinds == {True} else "r2"


def _default_folds(n_labelled: int, groups: Any) -> int:
    most = n_labelled // 2 if groups is None else len(np.unique(np.asarray(groups)))
    return max(2, min(10 if n_labelled <= _FEW_LABELS else 5, most))


def _checked_rows(labelled_rows: Any, n_samples: int) -> np.ndarray:
    rows = np.asarray(labelled_rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise InputValueError(
            f"labelled_rows must be positions of rows, integers of shape (n_labelled,); got {rows.dtype} of shape {rows.shape}."
            + (" For a mask, pass np.flatnonzero(mask)." if rows.dtype.kind == "b" else "")
        )
    bad = np.flatnonzero((rows < 0) | (rows >= n_samples))
    if len(bad):
        raise InputValueError(f"labelled_rows must be in [0, {n_samples}); got {rows[bad[0]]} at position {bad[0]}.")
    if len(np.unique(rows)) < len(rows):
        raise InputValueError("labelled_rows must not name a row twice; pass np.unique(labelled_rows) and its labels.")
    return rows.astype(np.int64)


def _checked_budgets(label_budgets: Any) -> tuple[int | None, ...]:
    if not isinstance(label_budgets, Sequence) or isinstance(label_budgets, str):
        raise InputTypeError(f"label_budgets must be a sequence of integers and None; got {label_budgets!r}.")
    budgets = tuple(label_budgets)
    if not budgets:
        raise InputValueError("label_budgets must name at least one number of labels, or None for all; got none.")
    return tuple(None if b is None else check_integer(b, "label_budgets (each)", least=2) for b in budgets)


def _checked_ridges(ridge: Any) -> tuple[float, ...]:
    values = tuple(ridge) if isinstance(ridge, tuple | list | np.ndarray) else (ridge,)
    if not values:
        raise InputValueError("ridge must be a number > 0 or several; got none.")
    return tuple(check_number(value, "ridge", above=0) for value in values)

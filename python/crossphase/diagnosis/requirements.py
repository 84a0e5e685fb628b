"""What the sizes of the input must satisfy before a diagnosis means anything."""

from __future__ import annotations

import numpy as np

from crossphase.errors import InputValueError
from crossphase.labels import LabelMatrix
from crossphase.pair import PreparedPair
from crossphase.samples import Samples, require_same_rows

MIN_SAMPLES = 10
MIN_GROUPS = 2


def require_enough_rows(x: Samples, y: Samples, labels: LabelMatrix, n_folds: int) -> None:
    require_same_rows(x, y)
    n = x.n_samples
    if labels.n_samples != n:
        raise InputValueError(
            f"labels must have one row for each of the {n} rows of X and Y; got {labels.n_samples}. "
            "Several label variables go into a mapping or a data frame, by name; a .csv needs a first line of column names."
        )
    if n < MIN_SAMPLES:
        raise InputValueError(f"X and Y must have at least {MIN_SAMPLES} rows; got {n}. Collect more pairs.")
    if n < 2 * n_folds:
        raise InputValueError(
            f"n_folds must leave at least 2 rows in every fold, so at most {n // 2} for {n} rows; got {n_folds} folds "
            f"for {n} rows."
        )


def require_several_groups(codes: np.ndarray) -> None:
    n_groups = int(codes.max()) + 1
    if n_groups < MIN_GROUPS:
        raise InputValueError(
            f"groups must be at least {MIN_GROUPS}; got {n_groups}. Rows that all depend on each other tell no spread; leave "
            "groups out where rows are independent."
        )


def require_more_rows_than_features(pair: PreparedPair, reduce: tuple[int | None, int | None]) -> None:
    n, p, q = pair.n_samples, pair.x.n_prepared, pair.y.n_prepared
    if p + q < n - 1:
        return
    n_exact = p + q - (n - 1)
    why = (
        f"at least {n_exact} canonical correlation{'s are' if n_exact > 1 else ' is'} then exactly 1 whatever the data say"
        if n_exact
        else "that leaves no degree of freedom, and the first canonical correlation is then nearly 1 whatever the data say"
    )
    given = pair.x.samples.n_features, pair.y.samples.n_features
    what = "principal components"
    if reduce == (None, None):
        what = "features" if (p, q) == given else f"independent directions (of {given[0]} + {given[1]} features)"
    raise InputValueError(
        f"X and Y have {p} + {q} {what}, which must be less than "
        f"n_samples - 1 = {n - 1}: {why}. Pass reduce=k to keep k principal components of each view "
        f"(reduce={max(1, min(100, n // 20))} leaves ten rows a component)."
    )

"""``diagnose``: from two sample matrices and labels to a verdict."""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

import numpy as np

from crossphase import _core
from crossphase._scalars import check_choice, check_integer, check_number
from crossphase._threads import resolve_n_threads
from crossphase.components import FOLD_SEED, PERMUTATION_SEED, ComponentOptions, analyse_components, recover
from crossphase.composite import derive_composite
from crossphase.diagnosis.cautions import input_cautions, statistical_cautions
from crossphase.diagnosis.recommend import Objective, recommend
from crossphase.diagnosis.requirements import require_enough_rows, require_more_rows_than_features
from crossphase.diagnosis.result import Diagnosis, DiagnosisSettings, Method, RatioEstimate
from crossphase.errors import InputTypeError, InputValueError, InputWarning
from crossphase.labels import encode_labels
from crossphase.moments import CrossMoments
from crossphase.pair import prepare_pair
from crossphase.readers import read_labels, read_samples
from crossphase.regimes import classify
from crossphase.samples import as_samples, require_finite
from crossphase.signals import SignalRule
from crossphase.spectra import null_correlations

_LOG = logging.getLogger(__name__)


def diagnose(
    X: Any,
    Y: Any,
    labels: Any,
    *,
    method: str = "components",
    signal_rule: str = "elbow",
    n_components: int = 50,
    n_folds: int = 5,
    n_permutations: int = 30,
    alpha: float = 1.0,
    ridge: float = 1e-6,
    standardize: bool = False,
    reduce: int | tuple[int | None, int | None] | None = None,
    n_threads: int | None = None,
    backend: str | None = None,
) -> Diagnosis:
    """Should two paired embedding sets be aligned, one be predicted from the other, or neither?

    Parameters
    ----------
    X, Y : array of shape (n_samples, n_features_x) and (n_samples, n_features_y), or path of a ``.npy`` file
        Row i of one belongs to row i of the other. float16, bfloat16, float32 or float64, any strides, memory maps
        included; never modified. Centred internally.
    labels : array, list, mapping, pandas or polars frame, or path of a ``.npy`` or ``.csv`` file
        What the representation should keep. Strings, booleans and integers are classes, floats are measurements; several
        columns are allowed (`crossphase.encode_labels`).
    method : {"components"}
        The published procedure (Algorithm 1 of the reference): components of the coherence and of the prediction operators
        are called signal or nuisance by how well they predict the labels.
    signal_rule : {"elbow", "elbow_log", "permutation"}
        Which of its three classifiers decides. All three are in the result.
    n_components : int, default 50
        Components examined in each decomposition.
    n_folds, n_permutations : int, default 5 and 30
        Of the cross-validated label regressions, and of the permutation classifier.
    alpha : float, default 1.0
        Ridge of the label regressions, in squared units of the component scores' sums.
    ridge : float, default 1e-6
        Added to every eigenvalue of both covariances (divided by n), in squared feature units: rescaling the data changes
        its meaning.
    standardize : bool, default False
        Divide each column by its standard deviation first. Scaling is part of the question for prediction: gains are in
        units of the target.
    reduce : int, or (int or None, int or None), optional
        Keep this many principal components of each view (of X, of Y). Needed where features are many against rows.
    n_threads : int, optional
        Default: ``CROSSPHASE_NUM_THREADS``, else one a core.
    backend : {"cpu", "reference"}, optional

    Returns
    -------
    Diagnosis

    Raises
    ------
    InputValueError, InputTypeError
        The sentence names the argument, what came, what is wanted, the first offending row and column, and the remedy.
    FileNotFoundError, IsADirectoryError
        For paths.

    Warns
    -----
    InputWarning
        Constant columns were dropped, or labels were read in a way worth knowing; also in ``Diagnosis.warnings``.

    Notes
    -----
    One pass over the rows for the moments, one for the scores of each of six decompositions. Cost
    O(n (p + q)² + (p + q)³ + n_permutations n n_components n_labels). The estimates are in-sample and carry no interval.

    References
    ----------
    Kamai, Van Assel, Regev, Perets & Balestriero (2026), "When to Align, When to Predict: A Phase Diagram for Multimodal
    Learning", arXiv:2606.11190.

    Examples
    --------
    >>> import crossphase, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(500, 2))
    >>> X = np.hstack([shared + 0.5 * rng.normal(size=(500, 2)), rng.normal(size=(500, 6))])
    >>> Y = np.hstack([shared + 0.5 * rng.normal(size=(500, 2)), rng.normal(size=(500, 4))])
    >>> crossphase.diagnose(X, Y, labels=shared).regime
    <Regime.BOTH: 'both'>
    """
    chosen_method = check_choice(method, "method", Method)
    rule = check_choice(signal_rule, "signal_rule", SignalRule)
    options = ComponentOptions(
        n_components=check_integer(n_components, "n_components", least=1),
        n_folds=check_integer(n_folds, "n_folds", least=2),
        n_permutations=check_integer(n_permutations, "n_permutations", least=1),
        alpha=check_number(alpha, "alpha", above=0),
        ridge=check_number(ridge, "ridge", least=0),
    )
    kept = _checked_reduce(reduce)
    if not isinstance(standardize, bool | np.bool_):
        raise InputTypeError(f"standardize must be True or False; got {standardize!r}.")
    threads = resolve_n_threads(n_threads)

    x, y = (as_samples(_read(values, name), name) for values, name in ((X, "X"), (Y, "Y")))
    label_matrix = encode_labels(read_labels(labels) if isinstance(labels, str | os.PathLike) else labels)
    require_enough_rows(x, y, label_matrix, options.n_folds)
    for samples in (x, y):
        require_finite(samples, threads)

    _LOG.info("moments of %d pairs, %d + %d features", x.n_samples, x.n_features, y.n_features)
    moments = CrossMoments(x.n_features, y.n_features, n_threads=threads, backend=backend)
    moments._update_checked([x, y])
    pair = prepare_pair(x, y, moments, standardize=bool(standardize), reduce=kept)
    require_more_rows_than_features(pair, kept)
    nulls = null_correlations(x.n_samples, pair.x.n_prepared, pair.y.n_prepared)

    _LOG.info("components, %d label columns, %d permutations", label_matrix.n_columns, options.n_permutations)
    components = analyse_components(pair, label_matrix.values, options, threads, backend)
    recovery_ca, recovery_cp, recovery_cp_reverse = (
        recover(decomposition.spectrum, decomposition.signals[rule])
        for decomposition in (components.cca, components.cp, components.cp_reverse)
    )
    recoveries = {
        Objective.ALIGN: recovery_ca,
        Objective.PREDICT_Y_FROM_X: recovery_cp,
        Objective.PREDICT_X_FROM_Y: recovery_cp_reverse,
    }
    cautions = input_cautions(pair, label_matrix)
    for caution in cautions:
        warnings.warn(caution.message, InputWarning, stacklevel=2)
    cautions += statistical_cautions(pair, options, components, recoveries, nulls.level_95)
    return Diagnosis(
        regime=classify(recovery_ca.delta, recovery_cp.delta),
        regime_reverse=classify(recovery_ca.delta, recovery_cp_reverse.delta),
        recommendation=recommend(recoveries, components),
        delta_ca=RatioEstimate(recovery_ca.delta),
        delta_cp=RatioEstimate(recovery_cp.delta),
        delta_cp_reverse=RatioEstimate(recovery_cp_reverse.delta),
        recovery_ca=recovery_ca,
        recovery_cp=recovery_cp,
        recovery_cp_reverse=recovery_cp_reverse,
        composite=derive_composite(components, rule),
        components=components,
        null_correlations=nulls,
        warnings=tuple(cautions),
        settings=DiagnosisSettings(
            method=chosen_method,
            signal_rule=rule,
            n_components=options.n_components,
            n_folds=options.n_folds,
            n_permutations=options.n_permutations,
            alpha=options.alpha,
            ridge=options.ridge,
            standardize=bool(standardize),
            reduce_x=kept[0],
            reduce_y=kept[1],
            fold_seed=FOLD_SEED,
            permutation_seed=PERMUTATION_SEED,
        ),
        n_samples=x.n_samples,
        n_features_x=x.n_features,
        n_features_y=y.n_features,
        dtype_x=x.dtype_name,
        dtype_y=y.dtype_name,
        constant_columns_x=pair.x.constant_columns,
        constant_columns_y=pair.y.constant_columns,
        label_columns=label_matrix.column_names,
        n_classes=label_matrix.n_classes,
        backend=moments.backend,
        version=_core.__version__,
    )


def _read(values: Any, name: str) -> Any:
    return read_samples(values, name) if isinstance(values, str | os.PathLike) else values


def _checked_reduce(reduce: Any) -> tuple[int | None, int | None]:
    sides = tuple(reduce) if isinstance(reduce, tuple | list) else (reduce, reduce)
    if len(sides) != 2:
        raise InputValueError(f"reduce must be an integer, a pair of integers or None; got {reduce!r}.")
    for side in sides:
        if side is not None:
            check_integer(side, "reduce (principal components kept of each view)", least=1)
    return sides

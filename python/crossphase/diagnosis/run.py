"""``diagnose``: from two sample matrices and labels, or from what one pass over them kept, to a verdict."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from crossphase._seeds import Seed
from crossphase.diagnosis import inputs
from crossphase.diagnosis.from_rows import problem_of_arrays
from crossphase.diagnosis.from_state import problem_of_state, require_one_pass_will_do
from crossphase.diagnosis.problem import DiagnosisProblem, conclude
from crossphase.diagnosis.settings import DiagnosisOptions, checked_options
from crossphase.distributed.dask_rows import is_dask_array
from crossphase.errors import InputTypeError, InputValueError, InputWarning
from crossphase.sources import RowSource
from crossphase.summarize import Progress, summarize_pair


def diagnose(
    X: Any,
    Y: Any = None,
    labels: Any = None,
    *,
    method: str = "subspace",
    nuisance_labels: Any = None,
    groups: Any = None,
    ids: Any = None,
    at_use: str = "both",
    rehearse: bool = True,
    audit: bool = True,
    standardize: bool = False,
    reduce: str | int | tuple[int | None, int | None] | None = "auto",
    rng: Seed = 0,
    signal_rule: str = "elbow",
    n_components: int = 50,
    n_folds: int = 5,
    n_permutations: int = 30,
    alpha: float = 1.0,
    ridge: float = 1e-6,
    n_threads: int | None = None,
    backend: str | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    precision: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Any:
    """Should two paired embedding sets be aligned, one be predicted from the other, both, or neither?

    Parameters
    ----------
    X, Y : array of shape (n_samples, n_features_x) and (n_samples, n_features_y), or path
        Row i of one belongs to row i of the other. float16, bfloat16, float32 or float64, any strides, memory maps
        included; never modified. Centred internally. Files: ``.npy``, and all that `crossphase.sources.open_rows` reads; above
        1 GiB together they are read once, in blocks (Notes). More than two views: a mapping of names to views, followed by the
        labels (`crossphase.diagnose_pairs`). What one pass kept (`crossphase.summarize_pair`), or the path of its
        ``.safetensors`` file, stands for X, Y and labels at once.
    labels : array, list, mapping, pandas or polars frame, or path of a ``.npy`` or ``.csv`` file
        What the representation should keep. Strings, booleans and integers are classes, floats are measurements; several
        columns are allowed (`crossphase.encode_labels`). Rows may be unlabelled (None, NaN): their pairs still sharpen the
        covariances. None: k-means clusters stand in (`crossphase.make_proxy_labels`), with a warning.
    method : {"subspace", "components"}
        ``subspace``: the labels define the signal subspace of each view; what remains is nuisance. Population values with
        intervals. ``components``: the published procedure (Algorithm 1 of the reference), in-sample and without intervals.
    nuisance_labels : as `labels`, optional
        Batch, donor, instrument: what the representation should not keep. Signal directions are then those that predict what
        these do not tell of the labels; directions that predict the batch alone are nuisance.
    groups : array of shape (n_samples,), optional
        Subjects, donors, stars: rows of one group depend on each other. Widens the intervals, keeps groups whole in folds.
        One group a row of X, also where `ids` puts rows in another order. Only for ``subspace``.
    ids : pair or triple of sequences, optional
        Names of the rows of X, of Y, and of the labels if they come in an order of their own; rows are matched by them, those
        without a partner left out. Without names of their own, labels are of the rows of X.
    at_use : {"both", "x", "y"}
        Which views there will be when the representation is used.
    rehearse : bool, default True
        Try the objectives in closed form on held-out rows (`crossphase.rehearse`), and recommend by what that finds.
    audit : bool, default True
        Check the pairing of the rows (`crossphase.audit_pairing`), and test for any shared signal
        (`crossphase.count_shared_directions`).
    standardize : bool, default False
        Divide each column by its standard deviation first. Scaling is part of the question for prediction: gains are in
        units of the target.
    reduce : "auto", int, (int or None, int or None), or None
        Keep this many principal components of each view (of X, of Y). "auto": all, unless both views have more than half as
        many features as there are rows; then at most a tenth of the rows, chosen without a look at the other view or the labels.
        With ``components``, "auto" is None.
    rng : int, numpy.random.SeedSequence or numpy.random.Generator, default 0
        Of everything that is drawn. The published procedure has seeds of its own.
    signal_rule : {"elbow", "elbow_log", "permutation"}
        Only for ``components``, as all that follow: which of its three classifiers decides. All three are in the result.
    n_components : int, default 50
        Components examined in each decomposition.
    n_folds, n_permutations : int, default 5 and 30
        Of the cross-validated label regressions, and of the permutation classifier.
    alpha : float, default 1.0
        Ridge of the label regressions, in squared units of the component scores' sums.
    ridge : float, default 1e-6
        Added to every eigenvalue of both covariances (divided by n), in squared feature units: rescaling the data changes
        its meaning.
    n_threads : int, optional
        Default: ``CROSSPHASE_NUM_THREADS``, else one a core.
    backend : {"cpu", "reference"}, optional
    checkpoint : path, optional
        Read X and Y once, whatever their size, and keep what was read here from time to time: the same call goes on from there,
        and ends with the same result.
    precision : {"auto", "f64", "f32", "bf16x6", "bf16x3", "bf16"}, optional
        Of the sums of that one pass (`crossphase.summarize_pair`). Rows in memory are summed in float64.
    progress : callable, optional
        Called with a `crossphase.summarize.Progress` after every block of that pass.

    Returns
    -------
    Diagnosis, or PairwiseDiagnosis for a mapping of views

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
    One pass over the rows for the moments, a few more for labels, leverages, tests and the rehearsal. Cost
    O(n (p + q)²) plus a hundred simulated covariances of O((p + q)³) each. docs/subspace_method.md tells how the numbers are
    made.

    Files of more than 1 GiB together, dask arrays, states, and whatever comes with a `checkpoint` are diagnosed from one pass:
    the separation ratios from sums over all rows; the noise of unequal rows, the rehearsal, the pairing
    audit and the test for shared signal from a sample of at most 20 000 rows (fewer of views wider than 800 columns), in which
    a misplaced stretch of rows shows, but not by how much it is shifted. Rows of heavy tails widen the intervals and keep their
    weight. ``groups``, ``nuisance_labels`` and ``method="components"`` need the rows; of ``.npy`` files larger than that, and of
    memory maps, they get them from the map, slowly.

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
    options = checked_options(
        method=method,
        at_use=at_use,
        rehearse=rehearse,
        audit=audit,
        standardize=standardize,
        reduce=reduce,
        rng=rng,
        signal_rule=signal_rule,
        n_components=n_components,
        n_folds=n_folds,
        n_permutations=n_permutations,
        alpha=alpha,
        ridge=ridge,
        n_threads=n_threads,
        backend=backend,
    )
    for name, value in (("groups", groups), ("nuisance_labels", nuisance_labels)):
        if options.is_published and value is not None:
            raise InputValueError(f'{name} need method="subspace"; the published procedure knows nothing of them.')
    if isinstance(X, Mapping):
        from crossphase.pairwise import diagnose_pairs  # noqa: PLC0415  (stands above this module)

        if Y is not None and labels is not None:
            raise InputTypeError(
                "X is a mapping of views, so the labels come next; Y must not be given beside labels=."
            )
        if ids is not None:
            raise InputValueError(
                "ids are of two views; got a mapping. Put the views in common order first, with crossphase.match_rows."
            )
        if checkpoint is not None:
            raise InputValueError("checkpoint is of two views; got a mapping. Diagnose one pair at a time.")

        given = {name: value for name, value in locals().items() if name in _OPTIONS}
        return diagnose_pairs(X, Y if labels is None else labels, **given)
    problem = _problem(
        X,
        Y,
        labels,
        nuisance_labels=nuisance_labels,
        groups=groups,
        ids=ids,
        checkpoint=checkpoint,
        precision=precision,
        progress=progress,
        options=options,
    )
    for caution in problem.input_cautions:
        warnings.warn(caution.message, InputWarning, stacklevel=2)
    return conclude(problem, options)


_OPTIONS = {  # passed on for every pair of several views
    *("method", "nuisance_labels", "groups", "at_use", "rehearse", "audit", "standardize", "reduce", "rng"),
    *("signal_rule", "n_components", "n_folds", "n_permutations", "alpha", "ridge", "n_threads", "backend"),
    *("precision", "progress"),
}


def _problem(
    X: Any,
    Y: Any,
    labels: Any,
    *,
    nuisance_labels: Any,
    groups: Any,
    ids: Any,
    checkpoint: str | os.PathLike[str] | None,
    precision: str | None,
    progress: Callable[[Progress], None] | None,
    options: DiagnosisOptions,
) -> DiagnosisProblem:
    """From a state, from rows read once, or from rows in memory."""
    if inputs.is_state(X, Y):
        beside = {"Y": Y, "labels": labels, "ids": ids, "checkpoint": checkpoint, "precision": precision}
        state = inputs.state_of(X, beside, options.n_threads)
        require_one_pass_will_do(nuisance_labels, groups, options, "diagnose the rows themselves, not their state.")
        return problem_of_state(state, options)
    x, y = inputs.opened(X, "X"), inputs.opened(Y, "Y")
    n_bytes = inputs.stored_bytes(x) + inputs.stored_bytes(y)
    is_mapped = not (isinstance(x, RowSource) or isinstance(y, RowSource))  # and can be gone over many times
    needs_rows = options.is_published or groups is not None or nuisance_labels is not None
    if is_dask_array(x) or is_dask_array(y):
        from crossphase.distributed.dask import summarize_pair as summarize_on_workers  # noqa: PLC0415  (imports dask)

        by_workers = {"ids": ids, "checkpoint": checkpoint, "progress": progress}
        if options.backend == "reference":  # whose moments keep every row, and do not travel
            by_workers["backend='reference'"] = options.backend
        for name, value in by_workers.items():
            if value is not None:
                raise InputValueError(f"{name} cannot be used with dask arrays; leave it out, or compute them first.")
        require_one_pass_will_do(nuisance_labels, groups, options, "compute the dask arrays first.")
        return problem_of_state(summarize_on_workers(x, y, labels, precision=precision or "auto"), options)
    if checkpoint is None and (n_bytes <= inputs.IN_MEMORY_BYTES or (needs_rows and is_mapped)):
        inputs.require_no_precision(precision)
        x, y = inputs.in_memory(x), inputs.in_memory(y)
        return problem_of_arrays(x, y, labels, nuisance_labels=nuisance_labels, groups=groups, ids=ids, options=options)
    instead = (
        f"X and Y hold {n_bytes / 2**30:.1f} GiB, so save them as .npy files, which are memory-mapped."
        if checkpoint is None
        else "leave checkpoint out."
    )
    require_one_pass_will_do(nuisance_labels, groups, options, instead)
    # Paths rather than maps of them: what is mapped stays in memory as long as there is room.
    x, y = (values if isinstance(values, str | os.PathLike) else view for values, view in ((X, x), (Y, y)))
    state = summarize_pair(
        x,
        y,
        labels,
        ids=ids,
        checkpoint=checkpoint,
        precision=precision or "auto",
        progress=progress,
        n_threads=options.n_threads,
        backend=options.backend,
    )
    return problem_of_state(state, options)

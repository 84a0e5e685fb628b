"""Labels where there are none: k-means clusters of a view, with what they are worth."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any

import numpy as np

from crossphase._scalars import check_choice, check_integer
from crossphase._seeds import Seed, derived_generator, seed_sequence
from crossphase._threads import single_threaded_blas
from crossphase.errors import InputValueError
from crossphase.moments import cross_moments
from crossphase.projection import project
from crossphase.readers import read_samples
from crossphase.samples import Samples, as_samples, require_same_rows

PUBLISHED_CLUSTERS = (8, 20, 44)  # the numbers of clusters in the published study of proxy labels
_ROWS_PER_CLUSTER = 5  # on average, at least
_FULL_KMEANS_ROWS = 2000  # more rows are clustered in batches
_SUBSAMPLE = 0.8
_STABLE, _FAIR = 0.8, 0.5  # adjusted Rand indices; convention, not theory
_CHANCE = 0.05  # an index below this is no agreement to speak of


class View(StrEnum):
    """Which view is clustered."""

    X = "x"
    Y = "y"


@dataclass(frozen=True, slots=True, eq=False)
class ViewClusters:
    """One clustering of one view. Agreement is the adjusted Rand index: 1 for equal clusterings, 0 on average by chance."""

    view: View
    n_clusters: int
    labels: np.ndarray  # (n_samples,), integers from 0
    stability_seeds: float  # mean agreement between runs that differ in their seed
    stability_subsamples: float  # between runs on two random 80 % of the rows, each extended to all rows
    agreement_across_views: float  # with the other view's clusters of the same number

    @property
    def stability(self) -> float:
        """The smaller of the two."""
        return min(self.stability_seeds, self.stability_subsamples)


@dataclass(frozen=True, slots=True, eq=False)
class ProxyLabels:
    """Clusters to use in place of labels, and how far to trust them."""

    labels: np.ndarray  # (n_samples,), integers: classes for `diagnose`
    chosen: ViewClusters
    candidates: tuple[ViewClusters, ...]  # every view and number of clusters tried
    weaker_view: View  # the view that the other predicts better
    explained_x: float  # share of the variance of X's leading components that Y predicts, held out
    explained_y: float  # and the reverse
    warnings: tuple[tuple[str, str], ...]  # (code, sentence)

    def __str__(self) -> str:
        c = self.chosen
        headline = (
            f"Proxy labels: {c.n_clusters} clusters of {c.view.upper()}; stability {c.stability:.2f}, agreement with the other "
            f"view's clusters {c.agreement_across_views:.2f} (1: equal, 0: chance)."
        )
        lines = [headline, f"  {'view':<6}{'clusters':>9}{'other seeds':>13}{'subsamples':>12}{'other view':>12}"]
        lines += [
            f"  {c.view.upper():<6}{c.n_clusters:>9}{c.stability_seeds:>13.2f}{c.stability_subsamples:>12.2f}"
            f"{c.agreement_across_views:>12.2f}"
            for c in self.candidates
        ]
        return "\n".join(lines + [f"  ! [{code}] {sentence}" for code, sentence in self.warnings])


def make_proxy_labels(
    X: Any,
    Y: Any,
    *,
    n_clusters: int | Sequence[int] = PUBLISHED_CLUSTERS,
    view: str | None = None,
    n_components: int = 50,
    n_runs: int = 3,
    rng: Seed = 0,
    n_threads: int | None = None,
) -> ProxyLabels:
    """k-means clusters of one view, as labels for a diagnosis without any.

    Parameters
    ----------
    X, Y : array of shape (n_samples, n_features_x) and (n_samples, n_features_y), or path of a ``.npy`` file
        float16, bfloat16, float32 or float64. Columns are standardised.
    n_clusters : int or sequence of int, default (8, 20, 44)
        Numbers to try; the most stable is chosen. Numbers that leave fewer than five rows a cluster are skipped.
    view : {"x", "y"}, optional
        Which view to cluster. Default: the weaker one, as in the published study. Without labels "weaker" is taken to be
        the view of whose leading components the other predicts more variance on held-out rows: it knows less that the other
        does not, so its clusters are more likely to be shared.
    n_components : int, default 50
        Principal components of the standardised columns that are clustered.
    n_runs : int, default 3
        Seeds compared with each other.
    rng : int, SeedSequence or Generator, default 0
    n_threads : int, optional
        Default: ``CROSSPHASE_NUM_THREADS``, else one a core.

    Returns
    -------
    ProxyLabels
        Stable clusters are not thereby signal: k-means finds what varies most, be it class, batch or brightness.

    Raises
    ------
    InputValueError, InputTypeError
        As `cross_moments`; no number of clusters leaves five rows a cluster; `view` is neither "x" nor "y".

    Notes
    -----
    scikit-learn's KMeans, above 2000 rows MiniBatchKMeans. One pass for the moments, one for the scores, which are held in
    memory: n_samples times `n_components` float64 a view.

    References
    ----------
    Kamai, Van Assel, Regev, Perets & Balestriero (2026), arXiv:2606.11190 (label robustness). Adjusted Rand index: Hubert &
    Arabie (1985), J. Classification 2, 193-218.

    Examples
    --------
    >>> from crossphase import make_proxy_labels
    >>> from crossphase.demo_data import load_demo
    >>> X, Y, _ = load_demo()
    >>> make_proxy_labels(X, Y, n_clusters=8).labels.shape
    (2000,)
    """
    asked = None if view is None else check_choice(view, "view", View)
    n_components = check_integer(n_components, "n_components", least=1)
    n_runs = check_integer(n_runs, "n_runs", least=2)
    seed = seed_sequence(rng)
    x, y = (
        as_samples(read_samples(values, name) if isinstance(values, str | os.PathLike) else values, name)
        for values, name in ((X, "X"), (Y, "Y"))
    )
    require_same_rows(x, y)
    numbers = _checked_numbers(n_clusters, x.n_samples)
    moments = cross_moments(x.values, y.values, precision="f64", n_threads=n_threads)
    scores = {
        View.X: _component_scores(x, moments.mean_x, moments.cov_xx, n_components, moments._n_threads),
        View.Y: _component_scores(y, moments.mean_y, moments.cov_yy, n_components, moments._n_threads),
    }
    explained = _explained(scores, derived_generator(seed, 0))
    weaker = View.X if explained[View.X] > explained[View.Y] else View.Y
    import sklearn.cluster  # noqa: F401, PLC0415  (loads its OpenMP, so that the limit sees it)
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    # One thread: scikit-learn's spin-wait for each other and crawl on a machine that has other work.
    with threadpool_limits(1):
        candidates = _cluster_both(scores, numbers, n_runs, seed)
    # The first of equals: fewer clusters are easier to read.
    chosen = max((c for c in candidates if c.view is (asked or weaker)), key=lambda c: c.stability)
    return ProxyLabels(
        labels=chosen.labels,
        chosen=chosen,
        candidates=candidates,
        weaker_view=weaker,
        explained_x=explained[View.X],
        explained_y=explained[View.Y],
        warnings=_cautions(chosen),
    )


def _checked_numbers(n_clusters: Any, n_samples: int) -> list[int]:
    given = (
        [n_clusters] if not isinstance(n_clusters, Sequence | np.ndarray) or isinstance(n_clusters, str) else n_clusters
    )
    numbers = sorted({check_integer(k, "n_clusters", least=2) for k in given})
    if not numbers:
        raise InputValueError("n_clusters is empty; pass a number of clusters or several.")
    usable = [k for k in numbers if k * _ROWS_PER_CLUSTER <= n_samples]
    if not usable:
        raise InputValueError(
            f"n_clusters must leave at least {_ROWS_PER_CLUSTER} rows a cluster, so at most {n_samples // _ROWS_PER_CLUSTER} for "
            f"{n_samples} rows; got {numbers[0]}{' and more' if len(numbers) > 1 else ''}."
        )
    return usable


def _component_scores(
    view: Samples, mean: np.ndarray, cov: np.ndarray, n_components: int, n_threads: int
) -> np.ndarray:
    """Scores on the leading principal components of the standardised columns, (n_samples, at most n_components)."""
    deviations = np.sqrt(np.diag(cov))
    varies = deviations > 4 * np.finfo(np.float64).eps * np.abs(mean)
    if not varies.any():
        raise InputValueError(
            f"{view.name} is constant: none of its {view.n_features} columns varies. Check how it was made."
        )
    scale = np.where(varies, 1 / np.where(varies, deviations, 1.0), 0.0)
    with single_threaded_blas():
        variances, axes = np.linalg.eigh(scale[:, None] * cov * scale)
    kept = min(n_components, int((variances > 1e-10 * variances[-1]).sum()))
    return project(view, mean, scale[:, None] * axes[:, ::-1][:, :kept], n_threads=n_threads)


def _explained(scores: dict[View, np.ndarray], rng: np.random.Generator) -> dict[View, float]:
    """Share of each view's scores that the other's predict linearly, fitted to half the rows and judged on the rest."""
    order = rng.permutation(len(scores[View.X]))
    fitted, judged = order[::2], order[1::2]
    n_predictors = max(1, len(fitted) // 10)  # leading ones; more would fit noise
    found = {}
    for view, other in ((View.X, View.Y), (View.Y, View.X)):
        source, target = scores[other][:, :n_predictors], scores[view]
        with single_threaded_blas():
            weights = np.linalg.lstsq(source[fitted], target[fitted], rcond=None)[0]
            residual = target[judged] - source[judged] @ weights
        found[view] = max(0.0, 1 - float(np.square(residual).sum() / np.square(target[judged]).sum()))
    return found


def _cluster_both(
    scores: dict[View, np.ndarray], numbers: list[int], n_runs: int, seed: np.random.SeedSequence
) -> tuple[ViewClusters, ...]:
    from sklearn.metrics import adjusted_rand_score  # noqa: PLC0415  (scikit-learn where it is used)

    def agreement(labelings: Sequence[np.ndarray]) -> float:
        return float(np.mean([adjusted_rand_score(a, b) for a, b in combinations(labelings, 2)]))

    found = []
    for k in numbers:
        runs = {}
        for number, (view, points) in enumerate(scores.items(), start=1):
            seeds = derived_generator(seed, number, k).integers(2**31, size=n_runs + 2).tolist()
            runs[view] = sorted((_cluster(points, points, k, s) for s in seeds[:n_runs]), key=lambda run: run.inertia)
            halves = []
            for s in seeds[n_runs:]:
                rows = np.random.default_rng(s).permutation(len(points))[: int(_SUBSAMPLE * len(points))]
                halves.append(_cluster(points[rows], points, k, s).labels)
            found.append(
                ViewClusters(
                    view=view,
                    n_clusters=k,
                    labels=runs[view][0].labels,
                    stability_seeds=agreement([run.labels for run in runs[view]]),
                    stability_subsamples=agreement(halves),
                    agreement_across_views=0.0,
                )
            )
    by_key = {(c.view, c.n_clusters): c for c in found}
    return tuple(
        ViewClusters(
            c.view,
            c.n_clusters,
            c.labels,
            c.stability_seeds,
            c.stability_subsamples,
            agreement([c.labels, by_key[View.Y if c.view is View.X else View.X, c.n_clusters].labels]),
        )
        for c in sorted(found, key=lambda c: (c.view, c.n_clusters))
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    labels: np.ndarray  # (n_samples,)
    inertia: float  # sum of squared distances to the centres, of the rows fitted to


def _cluster(fitted: np.ndarray, points: np.ndarray, k: int, seed: int) -> _Run:
    from sklearn.cluster import KMeans, MiniBatchKMeans  # noqa: PLC0415

    if len(fitted) <= _FULL_KMEANS_ROWS:
        model = KMeans(k, n_init=3, random_state=seed)
    else:
        model = MiniBatchKMeans(k, n_init=3, batch_size=2048, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct rows than clusters: the labels show it
        model.fit(fitted)
        labels = model.predict(points)
    return _Run(np.asarray(labels, dtype=np.int64), float(model.inertia_))


def _cautions(chosen: ViewClusters) -> tuple[tuple[str, str], ...]:
    what_they_are = (
        f"Labels are {chosen.n_clusters} k-means clusters of {chosen.view.upper()}, not what you care about: they follow "
        "whatever varies most in it, nuisance included."
    )
    found = [("proxy_labels", what_they_are)]
    if chosen.stability < _STABLE:
        cause = "rows" if chosen.stability_subsamples < chosen.stability_seeds else "seed"
        advice = (
            "take the diagnosis with care" if chosen.stability >= _FAIR else "do not trust a diagnosis made with them"
        )
        sentence = f"The clusters change with the {cause} (adjusted Rand index {chosen.stability:.2f}): {advice}."
        found.append(("unstable_proxy_labels", sentence))
    if chosen.agreement_across_views < _CHANCE:
        sentence = (
            f"The two views cluster differently (adjusted Rand index {chosen.agreement_across_views:.2f}): the clusters are "
            "hardly shared."
        )
        found.append(("unshared_proxy_labels", sentence))
    return tuple(found)

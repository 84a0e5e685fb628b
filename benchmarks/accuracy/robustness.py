"""How stable a diagnosis is when labels, ridge or rows change: curves as JSON and one figure.

    python benchmarks/accuracy/robustness.py --json robustness.json --figure robustness.png        (minutes)
    python benchmarks/accuracy/robustness.py --repeats 2 --cases demo --methods components         (seconds)
    python benchmarks/accuracy/robustness.py --data DIR                 (DIR holds x.npy, y.npy and labels.npy)

The studies of Kamai et al. (2026): noise on labels, coarser labels, clusters in place of labels, ridge and rows together, rows
alone without and with replacement. Every point is compared with the diagnosis of the clean, complete data (`same_regime`)
and, where the population is known, with the truth (`true_regime`). A method that this version does not have is left out.
"""

from __future__ import annotations

import argparse
import json
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from crossphase import InputValueError, InputWarning, SpikedModel, diagnose, label_recoverability
from crossphase.demo_data import load_demo
from crossphase.diagnosis.run import Method

R2_RATIOS = (0.75, 0.5, 0.25)  # of noisy measurements to clean ones
REASSIGNED = (0.1, 0.25, 0.5)  # of the rows' classes
BINS = (8, 4)
N_CLUSTERS = (8, 20, 44)
RIDGES = (1e-6, 1e-4, 1e-2, 1e-1)
LADDER = (250, 500, 750, 1000, 2000, 5000)
SWEPT_ROWS = (250, 500, 1000)
METHOD_OPTIONS: dict[str, dict[str, Any]] = {"subspace": {"rehearse": False, "audit": False}}  # the ratios alone
DISTINCT_SHARE = 1 - math.exp(-1)  # of the rows in a draw with replacement


@dataclass(frozen=True)
class Case:
    """A pair with labels: integers are classes, floats measurements."""

    name: str
    X: np.ndarray
    Y: np.ndarray
    labels: np.ndarray
    true_regime: str | None = None

    @property
    def has_classes(self) -> bool:
        return self.labels.dtype.kind != "f"

    def rows(self, chosen: np.ndarray) -> Case:
        return Case(self.name, self.X[chosen], self.Y[chosen], self.labels[chosen], self.true_regime)

    def labelled(self, labels: np.ndarray) -> Case:
        return Case(self.name, self.X, self.Y, labels, self.true_regime)


@dataclass(frozen=True)
class Point:
    """One setting of a study: how to change a case, and the options of `diagnose` that go with it."""

    study: str
    setting: str
    change: Callable[[Case, np.random.Generator], Case]
    options: dict[str, Any] = field(default_factory=dict)
    is_random: bool = True


def with_noise(case: Case, ratio: float, rng: np.random.Generator) -> Case:
    """Independent noise that leaves `ratio` of every R²: its variance is ``1 / ratio - 1`` of the label's own."""
    deviations = case.labels.std(axis=0) * np.sqrt(1 / ratio - 1)
    return case.labelled(case.labels + deviations * rng.standard_normal(case.labels.shape))


def with_reassigned(case: Case, share: float, rng: np.random.Generator) -> Case:
    """The classes of a share of the rows, replaced by others of the classes there are."""
    classes, codes = np.unique(case.labels, return_inverse=True)
    chosen = rng.random(len(codes)) < share
    codes = (codes + chosen * rng.integers(1, len(classes), len(codes))) % len(classes)
    return case.labelled(classes[codes])


def quantized(case: Case, n_bins: int, _: np.random.Generator) -> Case:
    """Every measurement by its mean within bins of equal counts."""
    ranks = case.labels.argsort(axis=0).argsort(axis=0) * n_bins // len(case.labels)
    return case.labelled(ranks.astype(np.float64) + 0.5 / n_bins)


def merged(case: Case, n_left: int, rng: np.random.Generator) -> Case:
    """Classes joined at random into `n_left`."""
    classes, codes = np.unique(case.labels, return_inverse=True)
    return case.labelled((np.arange(len(classes)) % n_left)[rng.permutation(len(classes))][codes])


def clustered(case: Case, n_clusters: int, rng: np.random.Generator) -> Case:
    """k-means clusters of the view that tells less of the labels, in their place."""
    from scipy.cluster.vq import kmeans2, whiten

    told = [float(label_recoverability(view, case.labels, n_resamples=19).r2.mean()) for view in (case.X, case.Y)]
    weaker = (case.X, case.Y)[int(np.argmin(told))].astype(np.float64)
    varying = weaker[:, weaker.std(axis=0) > 0]
    _, codes = kmeans2(whiten(varying), n_clusters, minit="++", rng=rng)
    return case.labelled(np.unique(codes, return_inverse=True)[1])


def subsampled(case: Case, n: int, rng: np.random.Generator) -> Case:
    return case.rows(rng.permutation(len(case.X))[:n])


def bootstrapped(case: Case, n: int, rng: np.random.Generator) -> Case:
    return case.rows(rng.integers(0, len(case.X), n))


def points(case: Case) -> Iterator[Point]:
    """All studies that make sense for a case."""
    n = len(case.X)

    def bind(change: Callable[..., Case], value: Any) -> Callable[[Case, np.random.Generator], Case]:
        return lambda given, rng: change(given, value, rng)

    if case.has_classes:
        n_classes = len(np.unique(case.labels))
        for share in REASSIGNED:
            yield Point("label noise", f"{share:.0%} reassigned", bind(with_reassigned, share))
        for n_left in sorted({max(2, n_classes // 2), max(2, n_classes // 4)} - {n_classes}, reverse=True):
            yield Point("coarsening", f"{n_left} of {n_classes} classes", bind(merged, n_left))
    else:
        for ratio in R2_RATIOS:
            yield Point("label noise", f"R² × {ratio}", bind(with_noise, ratio))
        for n_bins in BINS:
            yield Point("coarsening", f"{n_bins} bins", bind(quantized, n_bins), is_random=False)
    for n_clusters in N_CLUSTERS:
        yield Point("proxy labels", f"{n_clusters} clusters", bind(clustered, n_clusters))
    for rows in (*(m for m in SWEPT_ROWS if m < n), n):
        for ridge in RIDGES:
            setting = f"n {rows}, ridge {ridge:g}"
            yield Point("ridge and rows", setting, bind(subsampled, rows), {"ridge": ridge}, is_random=rows < n)
    for rows in (m for m in LADDER if m < n):
        yield Point("subsampling", f"n {rows}", bind(subsampled, rows))
    distinct = round(DISTINCT_SHARE * n)
    yield Point("replacement", f"{n}, repeated", bind(bootstrapped, n))
    yield Point("replacement", f"{distinct}, distinct", bind(subsampled, distinct))


def diagnosed(case: Case, method: str, options: dict[str, Any]) -> dict[str, Any]:
    """Regime and separation ratios, or why there are none."""
    n, p, q = len(case.X), case.X.shape[1], case.Y.shape[1]
    reduce = max(n // 8, 2) if p + q > n // 2 else None  # the published procedure refuses features as many as rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        try:
            found = diagnose(
                case.X, case.Y, case.labels, method=method, reduce=reduce, **METHOD_OPTIONS.get(method, {}), **options
            )
        except InputValueError as error:
            return {"refused": str(error)}
    return {"regime": str(found.regime), "delta_ca": found.delta_ca.value, "delta_cp": found.delta_cp.value}


def summarized(results: list[dict[str, Any]], reference: dict[str, Any], true_regime: str | None) -> dict[str, Any]:
    """Shares of regimes, and quartiles of the logarithms of the ratios (25 %, 50 %, 75 %), over repeats."""
    answered = [result for result in results if "regime" in result]
    summary: dict[str, Any] = {"n_repeats": len(results), "n_refused": len(results) - len(answered)}
    if not answered:
        return summary | {"refused": results[0]["refused"]}
    regimes = [result["regime"] for result in answered]
    summary["regimes"] = {regime: regimes.count(regime) / len(regimes) for regime in sorted(set(regimes))}
    summary["same_regime"] = summary["regimes"].get(reference.get("regime", ""), 0.0)
    if true_regime is not None:
        summary["true_regime"] = summary["regimes"].get(true_regime, 0.0)
    for name in ("delta_ca", "delta_cp"):
        logarithms = np.log(np.clip([result[name] for result in answered], 1e-6, 1e6))  # 0 and infinity included
        summary[f"log_{name}"] = np.quantile(logarithms, (0.25, 0.5, 0.75)).tolist()
    return summary


def curves(case: Case, method: str, n_repeats: int, seed: int) -> dict[str, Any]:
    """Every study of one case by one method."""
    reference = diagnosed(case, method, {})
    studies: dict[str, dict[str, Any]] = {}
    for number, point in enumerate(points(case)):
        results = []
        for repeat in range(n_repeats if point.is_random else 1):
            rng = np.random.default_rng([seed, number, repeat])
            results.append(diagnosed(point.change(case, rng), method, point.options))
        summary = summarized(results, reference, case.true_regime)
        studies.setdefault(point.study, {})[point.setting] = summary
    return {"reference": reference, "true_regime": case.true_regime, "studies": studies}


def spiked_cases() -> Iterator[Case]:
    """A pair of each regime, its ratios within a factor of 1.6 of 1 and its signal as labels."""
    parameters = {
        "both": {"kappa": (1.6, 1.4, 1.2), "gamma_tilde_y": 1.2, "eta": 0.66},
        "ca_only": {"kappa": (2.0, 1.7, 1.5), "gamma_tilde_y": 8.0, "eta": 1.9},
        "cp_only": {"kappa": (1.5, 1.3, 1.1), "gamma_tilde_y": 0.6, "eta": 0.63},
        "neither": {"kappa": (1.2, 1.0, 0.8), "gamma_tilde_y": 0.8, "eta": 0.66},
    }
    for name, own in parameters.items():
        model = SpikedModel(gamma_x=0.5, gamma_y=0.5, gamma_tilde_x=1.0, n_features_x=30, n_features_y=20, rng=1, **own)
        sample = model.sample(2000, 2)
        yield Case(f"spiked, {name}", sample.X, sample.Y, sample.signal, str(model.regime))


def cases(names: list[str], folders: list[Path]) -> Iterator[Case]:
    if "demo" in names:
        yield Case("demo", *load_demo())
    if "spiked" in names:
        yield from spiked_cases()
    for folder in folders:
        x, y, labels = (np.load(folder / f"{name}.npy") for name in ("x", "y", "labels"))
        yield Case(folder.name, x, y, labels)


def draw(found: dict[str, dict[str, Any]], path: Path) -> None:
    """A row for each case, a column for each study: share of repeats with the regime of the complete data."""
    from matplotlib.figure import Figure

    studies = ["label noise", "coarsening", "proxy labels", "ridge and rows", "subsampling", "replacement"]
    figure = Figure(figsize=(3.5 * len(studies), 3 * len(found)), layout="constrained")
    axes = figure.subplots(len(found), len(studies), squeeze=False, sharey=True)
    for row, (case, by_method) in zip(axes, found.items(), strict=True):
        for panel, study in zip(row, studies, strict=True):
            for method, result in by_method.items():
                settings = result["studies"].get(study, {})
                shares = [summary.get("same_regime", math.nan) for summary in settings.values()]
                panel.plot(
                    range(len(shares)), shares, "o-", label=f"{method}: {result['reference'].get('regime', 'refused')}"
                )
                panel.set_xticks(range(len(shares)), list(settings), rotation=60, ha="right", fontsize=7)
            panel.set_title(f"{case}: {study}", fontsize=9)
            panel.set_ylim(-0.05, 1.05)
        row[0].set_ylabel("same regime")
        row[0].legend(fontsize=7)
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=["components", "subspace"])
    parser.add_argument("--cases", nargs="*", default=["demo", "spiked"], choices=["demo", "spiked"])
    parser.add_argument("--data", nargs="*", type=Path, default=[], help="folders with x.npy, y.npy and labels.npy")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="below 100 000")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    methods = [method for method in options.methods if method in list(Method)]
    for method in set(options.methods) - set(methods):
        print(f"this version has no method {method!r}; left out")
    found: dict[str, dict[str, Any]] = {}
    for case in cases(options.cases, options.data):
        for method in methods:
            result = curves(case, method, options.repeats, options.seed)
            found.setdefault(case.name, {})[method] = result
            print(f"{case.name}, {method}: {result['reference']}, truth {case.true_regime}")
            for study, settings in result["studies"].items():
                shares = ", ".join(f"{name}: {s.get('same_regime', math.nan):.2f}" for name, s in settings.items())
                print(f"    {study}: {shares}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    if options.figure:
        draw(found, options.figure)


if __name__ == "__main__":
    main()

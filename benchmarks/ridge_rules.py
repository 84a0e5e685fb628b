"""What each rule for the ridge is worth on rows not fitted to: held-out scores of alignment and prediction.

    python benchmarks/ridge_rules.py [NAME=X.npy,Y.npy ...] [--n-components 5] [--n-splits 3]

Without pairs of files, the two descriptions of digits that ship with crossphase. Of each split 70 % of the rows are fitted to.
Scores: mean correlation of the paired variates (alignment), share of variance of Y explained (prediction).
"""

from __future__ import annotations

import argparse
import time
from statistics import mean

import numpy as np

from crossphase import CrossAlignment, CrossPrediction
from crossphase.demo_data import load_demo

RULES = (1e-9, 1e-6, 1e-3, "oas", "ledoit_wolf", "cross_validation")


def held_out(
    estimator: type, k: int, rule: float | str, X: np.ndarray, Y: np.ndarray, n_splits: int
) -> tuple[float, float]:
    """Mean score and mean seconds of a fit."""
    scores, seconds = [], []
    for split in range(n_splits):
        order = np.random.default_rng(split).permutation(len(X))
        train, test = order[: int(0.7 * len(X))], order[int(0.7 * len(X)) :]
        start = time.perf_counter()
        try:
            fitted = estimator(k, ridge=rule).fit(X[train], Y[train])
        except np.linalg.LinAlgError:  # too small for a view of more columns than rows
            return float("nan"), float("nan")
        seconds.append(time.perf_counter() - start)
        scores.append(fitted.score(X[test], Y[test]))
    return mean(scores), mean(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("pairs", nargs="*", metavar="NAME=X.npy,Y.npy")
    parser.add_argument("--n-components", type=int, default=5)
    parser.add_argument("--n-splits", type=int, default=3)
    options = parser.parse_args()
    pairs = {"demo digits": load_demo()[:2]}
    if options.pairs:
        named = (pair.partition("=") for pair in options.pairs)
        pairs = {name: tuple(np.load(file).astype(float) for file in files.split(",")) for name, _, files in named}
    print("| pair | rows, features | objective | " + " | ".join(f"{rule}" for rule in RULES) + " |")
    print("|---|---|---|" + "---|" * len(RULES))
    for name, (X, Y) in pairs.items():
        for estimator in (CrossAlignment, CrossPrediction):
            found = [held_out(estimator, options.n_components, rule, X, Y, options.n_splits) for rule in RULES]
            cells = " | ".join(
                "singular" if score != score else f"{score:.3f} ({seconds:.2g} s)" for score, seconds in found
            )
            print(f"| {name} | {len(X)}, {X.shape[1]} + {Y.shape[1]} | {estimator.__name__} | {cells} |", flush=True)


if __name__ == "__main__":
    main()

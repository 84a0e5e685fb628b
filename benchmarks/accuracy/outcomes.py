"""Is the advice any good? Recommendations from few labels against what trained heads really scored.

    python benchmarks/accuracy/outcomes.py --data DIR --json results/outcomes.json [--seeds 3] [--only NAME ...]
    python benchmarks/accuracy/outcomes.py --table results/outcomes.json

DIR holds a folder a data set (`x.npy`, `y.npy`, ..., `labels.npy`, perhaps `groups.npy`) and `outcomes.json`: the balanced
accuracy of every objective, trained on all pairs of the training part and probed with so many labels. For every pair of views,
budget and seed the training part is drawn by the same protocol (at most 5000 rows, classes under 8 rows dropped, 60 / 15 / 25
split by groups or stratified), a labelled subsample of the budget's size is rehearsed with all training pairs, and the advice is
looked up in the outcomes. Regret is what the advice loses against the best choice for the views at use, in points of balanced
accuracy; a call is harmful if it is cross-modal and the better single view scored higher by more than the pair's `spread`.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np

from crossphase import diagnose
from crossphase.objectives import Objective
from crossphase.rehearsal import AtUse, Candidate, decide, rehearse

BUDGETS = ("100", "300", "all")
CHOICES = {
    "both": ("x", "y", "concat", "ca", "cp", "cp_reverse", "joint"),
    "x": ("x", "ca_x", "cp", "joint"),
    "y": ("y", "ca_y", "cp_reverse"),
}
OUTCOME = {  # of a plan, by views at use; a plan that needs a view that is not there leaves the frozen view
    "both": {
        "align": "ca",
        "predict_y_from_x": "cp",
        "predict_x_from_y": "cp_reverse",
        "joint": "joint",
        "concatenate": "concat",
        "single_modality_x": "x",
        "single_modality_y": "y",
        "undecided": "concat",
    },
    "x": {"align": "ca_x", "predict_y_from_x": "cp", "joint": "joint"},
    "y": {"align": "ca_y", "predict_x_from_y": "cp_reverse"},
}
RULES = {
    "rehearsal": "this library: rehearse + decide",
    "published": "published procedure (components)",
    "better_single_labelled": "better single view, by the labelled subsample",
    "better_single_oracle": "better single view, by oracle",
    "concatenate": "always concatenate",
    "align": "always align",
    "predict": "always predict (Y from X; X from Y if Y is at use)",
}


def training_part(folder: Path, views: tuple[str, str], seed: int) -> tuple[np.ndarray, ...]:
    """X, Y, labels and groups (or None) of the rows that heads are trained on, X and Y standardized on them."""
    rng = np.random.default_rng(seed)
    labels = np.unique(np.load(folder / "labels.npy"), return_inverse=True)[1]
    keep = np.flatnonzero(np.bincount(labels)[labels] >= 8)
    if len(keep) > 5000:
        keep = np.sort(rng.choice(keep, 5000, replace=False))
    labels = labels[keep]
    groups = np.load(folder / "groups.npy")[keep] if (folder / "groups.npy").exists() else None
    is_training = np.zeros(len(keep), dtype=bool)
    if groups is None:
        for code in np.unique(labels):
            rows = rng.permutation(np.flatnonzero(labels == code))
            is_training[rows[: round(0.6 * len(rows))]] = True
    else:
        names = rng.permutation(np.unique(groups))
        is_training = np.isin(groups, names[: round(0.6 * len(names))])
    rows = keep[is_training]
    X, Y = (np.load(folder / f"{view}.npy", mmap_mode="r")[rows] for view in views)
    return X, Y, labels[is_training], None if groups is None else groups[is_training]


def published_plan(X: np.ndarray, Y: np.ndarray, labels: np.ndarray) -> str:
    """The published procedure on the labelled rows, on principal components, since it needs more rows than columns."""
    most = max(2, min(100, len(labels) // 5))
    kept = tuple(min(most, view.shape[1]) for view in (X, Y))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = diagnose(
                X.astype(np.float64), Y.astype(np.float64), labels, method="components", standardize=True, reduce=kept
            )
    except (ValueError, np.linalg.LinAlgError):
        return "undecided"
    return str(result.recommendation.objective)


def rows_of_table(data: Path, n_seeds: int, only: list[str]) -> Iterator[dict[str, object]]:
    outcomes = json.loads((data / "outcomes.json").read_text())
    for pair, truth in outcomes.items():
        if only and not any(pair.startswith(name) for name in only):
            continue
        name, *views = pair.split(":")
        for seed in range(n_seeds):
            X, Y, labels, groups = training_part(data / name, (views[0], views[1]), seed)
            for place, budget in enumerate(b for b in BUDGETS if b in truth):
                rng = np.random.default_rng([seed, place])
                size = len(labels) if budget == "all" else min(int(budget), len(labels))
                rows = np.sort(rng.choice(len(labels), size, replace=False))
                start = time.perf_counter()
                plans: dict[str, dict[str, str]] = {rule: {} for rule in RULES}
                published = published_plan(X[rows], Y[rows], labels[rows])
                published_seconds = time.perf_counter() - start
                start = time.perf_counter()
                rehearsal = rehearse(
                    X,
                    Y,
                    labels[rows],
                    labelled_rows=rows,
                    label_budgets=(None,),
                    groups=groups,
                    rng=seed,
                )
                for use in CHOICES:  # what is rehearsed does not depend on it
                    plans["rehearsal"][use] = str(decide(replace(rehearsal, at_use=AtUse(use))).objective)
                seconds = time.perf_counter() - start
                part = rehearsal.at(None)
                labelled = "single_modality_" + str(part.best_single)
                oracle = "single_modality_" + max("xy", key=lambda view: truth[budget][view])
                for use in CHOICES:
                    plans["published"][use] = published
                    plans["better_single_labelled"][use] = labelled
                    plans["better_single_oracle"][use] = oracle
                    plans["concatenate"][use] = "concatenate"
                    plans["align"][use] = "align"
                    plans["predict"][use] = "predict_x_from_y" if use == "y" else "predict_y_from_x"
                yield {
                    "pair": pair,
                    "budget": budget,
                    "seed": seed,
                    "seconds": seconds,
                    "published_seconds": published_seconds,
                    "scores": {str(c): round(part.score(c).value, 4) for c in Candidate},
                    "plans": plans,
                    "judged": {
                        rule: {use: judge(truth, budget, use, p) for use, p in by_use.items()}
                        for rule, by_use in plans.items()
                    },
                }


def judge(truth: dict, budget: str, use: str, plan: str) -> dict[str, float | bool]:
    """Regret in points, and whether a cross-modal call was harmful."""
    scores = truth[budget]
    choice = OUTCOME[use].get(plan, use)
    single = max(scores[c] for c in CHOICES[use] if c in ("x", "y"))
    is_cross_modal = choice not in ("x", "y", "concat")
    return {
        "regret": 100 * (max(scores[c] for c in CHOICES[use]) - scores[choice]),
        "cross_modal": is_cross_modal,
        "harmful": is_cross_modal and scores[choice] < single - truth["spread"],
        "undecided": plan == Objective.UNDECIDED,
    }


def table(rows: list[dict]) -> str:
    """Markdown: mean regret and harmful calls of every rule, by views at use and budget."""
    lines = []
    for use in CHOICES:
        lines += [
            f"\nViews at use: {use}\n",
            "| rule | regret at 100 labels | 300 | all | mean | standard error over pairs | cross-modal calls | harmful calls |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for rule, text in RULES.items():
            if use != "both" and rule in ("better_single_oracle", "better_single_labelled"):
                continue  # one view at use is that view: "concatenate" below reads as the frozen view
            judged = [(r["pair"], r["budget"], r["judged"][rule][use]) for r in rows]
            by_budget = [
                mean([j["regret"] for _, b, j in judged if b == budget] or [float("nan")]) for budget in BUDGETS
            ]
            by_pair = [mean(j["regret"] for p, _, j in judged if p == pair) for pair in {p for p, _, _ in judged}]
            error = float(np.std(by_pair, ddof=1) / np.sqrt(len(by_pair))) if len(by_pair) > 1 else float("nan")
            shown = "frozen view" if use != "both" and rule == "concatenate" else text
            lines.append(
                f"| {shown} | "
                + " | ".join(f"{value:.2f}" for value in by_budget)
                + f" | {mean(j['regret'] for _, _, j in judged):.2f} | {error:.2f}"
                + f" | {100 * mean(j['cross_modal'] for _, _, j in judged):.0f} %"
                + f" | {100 * mean(j['harmful'] for _, _, j in judged):.1f} % |"
            )
    undecided = mean(r["judged"]["rehearsal"]["both"]["undecided"] for r in rows)
    lines.append(
        f"\n{len(rows)} recommendations a row of the table; the rehearsal was undecided in {100 * undecided:.1f} %."
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="pairs that start with one of these")
    parser.add_argument("--table", type=Path, help="print the table of an earlier run")
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(options.table.read_text())["rows"]))
        return
    rows = []
    for row in rows_of_table(options.data, options.seeds, options.only):
        rows.append(row)
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            partial = options.json.with_suffix(".partial")
            partial.write_text(json.dumps({"rows": rows}))
            partial.replace(options.json)
    print(table(rows))


if __name__ == "__main__":
    main()

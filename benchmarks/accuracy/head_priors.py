"""What trained cross-modal heads are worth on data that no table of ours judges by: the prior of the rehearsal's decision.

    python benchmarks/accuracy/head_priors.py [--json results/head_priors.json] [--seeds 2]

Pairs of views are cut from scikit-learn's digits, breast cancer and wine, and simulated. Heads are trained by torch (MLP of width
256 to 64 outputs; alignment by VICReg 25 / 25 / 1, prediction by squared error; AdamW, 80 epochs at most, patience 10, best
validation weights) on 60 % of the rows, and probed by logistic regression (C = 0.1) on 25 %. Printed are the numbers in
`crossphase.rehearsal.decision`: how far a view is below both, what share of the difference a head of one view regains, what
comes besides, and how far the closed forms of a rehearsal are from the trained heads. Needs torch; about 8 minutes on a core.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from torch import nn
from torch.nn import functional

from crossphase.rehearsal import Candidate, rehearse

BUDGETS = (100, 300, None)
Pair = tuple[str, np.ndarray, np.ndarray, np.ndarray]


def digits() -> Iterator[Pair]:
    data = datasets.load_digits()
    images, labels = data.images, data.target
    n = len(labels)
    flat = images.reshape(n, -1)
    profiles = np.hstack([images.sum(axis=1), images.sum(axis=2)])
    coarse = images.reshape(n, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(n, -1)
    gradients = np.hstack([np.diff(images, axis=1).reshape(n, -1), np.diff(images, axis=2).reshape(n, -1)])
    place = np.arange(8)
    summary = np.stack(
        [
            images.sum(axis=(1, 2)),
            (images * place[:, None]).sum(axis=(1, 2)),
            (images * place).sum(axis=(1, 2)),
            images.std(axis=(1, 2)),
            (images > 8).sum(axis=(1, 2)),
        ],
        axis=1,
    )
    fourier = np.abs(np.fft.fft2(images))[:, :, :5].reshape(n, -1)
    random = np.random.default_rng(5)
    wide = np.maximum(flat / 8 @ random.normal(size=(64, 500)) / 8 + random.normal(size=500), 0)
    left, right = images[:, :, :4].reshape(n, -1), images[:, :, 4:].reshape(n, -1)
    yield "digits left, right", left, right, labels
    yield "digits top, bottom", images[:, :4].reshape(n, -1), images[:, 4:].reshape(n, -1), labels
    yield "digits pixels, profiles", flat, profiles, labels
    yield "digits coarse, gradients", coarse, gradients, labels
    yield "digits gradients, summary", gradients, summary, labels
    yield "digits Fourier, coarse", fourier, coarse, labels
    yield "digits Fourier, right", fourier, right, labels
    yield "digits 500 random, profiles", wide, profiles, labels


def tables() -> Iterator[Pair]:
    cancer, wine = datasets.load_breast_cancer(), datasets.load_wine()
    shape, texture = [0, 2, 3, 10, 12, 13, 20, 22, 23], [1, 4, 8, 9, 11, 14, 18, 19, 21, 24, 28, 29]
    yield "cancer mean, error", cancer.data[:, :10], cancer.data[:, 10:20], cancer.target
    yield "cancer error, worst", cancer.data[:, 10:20], cancer.data[:, 20:], cancer.target
    yield "cancer shape, texture", cancer.data[:, shape], cancer.data[:, texture], cancer.target
    yield "wine first 6, last 7", wine.data[:, :6], wine.data[:, 6:], wine.target
    yield "wine odd, even", wine.data[:, ::2], wine.data[:, 1::2], wine.target


def simulated() -> Iterator[Pair]:
    """Class means in a shared signal beside shared and private nuisance, mixed; every second pair through a tanh."""
    settings = (  # columns of each view, classes, separation, noise of X and of Y, strength of the shared nuisance
        (20, 5, 1.2, 0.8, 1.5, 3.0),
        (40, 8, 1.5, 0.5, 2.0, 1.0),
        (10, 3, 1.0, 1.0, 1.0, 5.0),
        (60, 10, 1.5, 2.0, 0.5, 2.0),
        (30, 4, 0.8, 1.5, 1.5, 0.5),
        (100, 6, 1.5, 1.0, 3.0, 1.0),
        (8, 4, 1.5, 0.5, 0.5, 0.2),
        (200, 10, 2.0, 1.0, 1.0, 1.0),
    )
    n = 2000
    for i, (width, n_classes, separation, noise_x, noise_y, strength) in enumerate(settings):
        random = np.random.default_rng(100 + i)
        labels = random.integers(0, n_classes, n)
        signal = (random.normal(size=(n_classes, 6)) * separation)[labels] + 0.7 * random.normal(size=(n, 6))
        nuisance = strength * random.normal(size=(n, 5))
        views = []
        for noise in (noise_x, noise_y):
            sources = np.hstack([signal, nuisance, random.normal(size=(n, 4))])
            mixed = sources @ random.normal(size=(sources.shape[1], width)) / np.sqrt(sources.shape[1])
            views.append((np.tanh(mixed) if i % 2 else mixed) + 0.6 * noise * random.normal(size=mixed.shape))
        yield f"simulated {i}", views[0], views[1], labels
    for i, (p, q, n_informative) in enumerate(((30, 30, 10), (50, 8, 12), (10, 60, 15))):
        both, labels = datasets.make_classification(
            n, p + q, n_informative=n_informative, n_redundant=n_informative, n_classes=6, class_sep=1.2, random_state=i
        )
        yield f"hypercube {i}", both[:, :p], both[:, p:], labels


def mlp(n_in: int, n_out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_in, 256), nn.ReLU(), nn.Linear(256, n_out))


def vicreg(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    loss = 25 * functional.mse_loss(a, b)
    for z in (a, b):
        centred = z - z.mean(dim=0)
        cov = centred.T @ centred / (len(z) - 1)
        loss = loss + 25 * torch.relu(1 - torch.sqrt(cov.diag() + 1e-4)).mean()
        loss = loss + (cov.pow(2).sum() - cov.diag().pow(2).sum()) / z.shape[1]
    return loss


def trained(
    objective: str, X: np.ndarray, Y: np.ndarray, parts: list[np.ndarray], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of both heads on all rows; those of Y mean something for alignment only."""
    torch.manual_seed(seed)
    x, y = torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32)
    head_x, head_y, decoder = mlp(x.shape[1], 64), mlp(y.shape[1], 64), mlp(64, y.shape[1])
    parameters = [*head_x.parameters(), *head_y.parameters(), *decoder.parameters()]
    optimizer = torch.optim.AdamW(parameters, 1e-3, weight_decay=1e-4)
    train, validation = (torch.tensor(part) for part in parts[:2])

    def loss(rows: torch.Tensor) -> torch.Tensor:
        z = head_x(x[rows])
        aligned = vicreg(z, head_y(y[rows])) if objective != "predict" else torch.zeros(())
        predicted = functional.mse_loss(decoder(z), y[rows]) if objective != "align" else torch.zeros(())
        return aligned + predicted if objective != "joint" else 0.5 * aligned + 0.5 * predicted

    best, n_worse, state = float("inf"), 0, [p.detach().clone() for p in parameters]
    for _ in range(80):
        for rows in train[torch.randperm(len(train))].split(256):
            if len(rows) >= 8:  # VICReg needs a covariance
                optimizer.zero_grad()
                loss(rows).backward()
                optimizer.step()
        with torch.no_grad():
            value = float(loss(validation))
        n_worse = 0 if value < best else n_worse + 1
        if value < best:
            best, state = value, [p.detach().clone() for p in parameters]
        if n_worse == 10:
            break
    with torch.no_grad():
        for parameter, kept in zip(parameters, state, strict=True):
            parameter.copy_(kept)
        return head_x(x).numpy(), head_y(y).numpy()


def probe(features: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    spread = features[train].std(axis=0)
    scaled = (features - features[train].mean(axis=0)) / np.where(spread > 1e-8, spread, 1.0)
    model = LogisticRegression(C=0.1, max_iter=300).fit(scaled[train], labels[train])
    return float(balanced_accuracy_score(labels[test], model.predict(scaled[test])))


def measure(pair: Pair, seed: int) -> Iterator[dict[str, object]]:
    """For each budget: scores of the trained heads on test rows, and of the rehearsal on the training rows."""
    name, X, Y, labels = pair
    random = np.random.default_rng(seed)
    parts: list[list[np.ndarray]] = [[], [], []]
    for code in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == code))
        for part, piece in zip(parts, np.split(rows, [round(0.6 * len(rows)), round(0.75 * len(rows))]), strict=True):
            part.append(piece)
    train, validation, test = (np.sort(np.concatenate(part)) for part in parts)
    X, Y = ((v - v[train].mean(axis=0)) / np.where(v[train].std(axis=0) > 0, v[train].std(axis=0), 1) for v in (X, Y))
    split = [train, validation]
    aligned_x, aligned_y = trained("align", X, Y, split, seed)
    features = {
        "x": X,
        "y": Y,
        "concat": np.hstack([X, Y]),
        "ca": np.hstack([aligned_x, aligned_y]),
        "ca_x": aligned_x,
        "ca_y": aligned_y,
        "cp": trained("predict", X, Y, split, seed)[0],
        "cp_reverse": trained("predict", Y, X, split, seed)[0],
        "joint": trained("joint", X, Y, split, seed)[0],
    }
    for budget in BUDGETS:
        size = len(train) if budget is None else budget
        if size > len(train):
            continue
        draws = [random.permutation(train)[:size] for _ in range(1 if budget is None else 3)]
        rows = np.sort(random.permutation(len(train))[:size])
        part = rehearse(
            X[train], Y[train], labels[train][rows], labelled_rows=rows, label_budgets=(None,), rng=seed
        ).budgets[0]
        yield {
            "pair": name,
            "seed": seed,
            "n_labels": size,
            "budget": budget or "all",
            "trained": {c: float(np.mean([probe(f, labels, d, test) for d in draws])) for c, f in features.items()},
            "rehearsed": {str(c): part.score(c).value for c in Candidate},
            "errors": {f"{c}-{r}": part.difference(c, r).standard_error for c, r in SOURCES.items()},
        }


SOURCES = {"cp": "x", "cp_reverse": "y", "ca_x": "x", "ca_y": "y", "joint": "x", "ca": "concat"}


def report(rows: list[dict]) -> str:
    """Markdown: the constants of the prior, by number of labels."""

    def column(of: Callable[[dict], float], budget: object) -> np.ndarray:
        return np.array([of(row) for row in rows if row["budget"] == budget])

    lines = [
        "| labels | head | regained share, times sqrt(labels) | besides: mean | sd | rehearsed - trained: mean | sd of that |",
        "|---|---|---|---|---|---|---|",
    ]
    for budget in ("100", "300", "all"):
        key: object = budget if budget == "all" else int(budget)
        root = float(np.sqrt(column(lambda r: r["n_labels"], key).mean()))
        for head, source in SOURCES.items():
            gain = column(lambda r, h=head, s=source: r["trained"][h] - r["trained"][s], key)
            room = column(lambda r, s=source: r["trained"]["concat"] - r["trained"][s], key)
            design = np.stack([room, np.ones_like(room)], axis=1) if source != "concat" else np.ones((len(room), 1))
            coefficients = np.linalg.lstsq(design, gain, rcond=None)[0]
            rest = gain - design @ coefficients
            share = f"{coefficients[0] * root:.2f}" if source != "concat" else ""
            off = column(lambda r, h=head, s=source: r["rehearsed"][h] - r["rehearsed"][s], key) - gain
            sampling = column(lambda r, h=head, s=source: r["errors"][f"{h}-{s}"] ** 2, key).mean()
            lines.append(
                f"| {budget} | {head} | {share} | {coefficients[-1]:+.3f} | {rest.std():.3f} | {off.mean():+.3f} "
                f"| {np.sqrt(max(off.var() - sampling, 0)):.3f} |"
            )
    lacks = np.array([[r["trained"][v] - r["trained"]["concat"] for v in "xy"] for r in rows])
    lines.append(f"\nA view against both: mean {lacks.mean():+.3f}, sd {lacks.std():.3f}; {len(rows)} rows.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=UserWarning)
    rows: list[dict] = []
    for seed in range(options.seeds):
        for pairs in (digits, tables, simulated):
            for pair in pairs():
                rows += measure(pair, seed)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"rows": rows}))
    print(report(rows))


if __name__ == "__main__":
    main()

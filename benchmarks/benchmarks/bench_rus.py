"""Data of known information: what `crossphase.RUSModel` and `crossphase.information_decomposition` do."""

import numpy as np

from crossphase import RUSModel, information_decomposition

N_SAMPLES = 65_536


class Information:
    """Mutual informations of a replica with 10 features a view (published: 12, dense 512 MiB), 6 of them shared."""

    params = (["cpu", "published"],)
    param_names = ("backend",)

    def setup(self, backend):
        self.information(backend)  # imports

    def information(self, backend):
        model = _replica()  # a new one: it keeps what it computed
        if backend == "published":
            return _dense_information(model)
        found = model.information
        return np.array([found.information_x, found.information_y, found.information_joint])

    def time_information(self, backend):
        self.information(backend)

    def peakmem_information(self, backend):
        self.information(backend)

    def track_error(self, backend):
        """Largest difference from the same sums over the relevant bits in extended precision, nats."""
        model = _replica()
        law = model.label_law.astype(np.longdouble)
        exact = [
            _entropy(seen.mean(axis=0)) - _entropy(seen) / len(seen)
            for seen in (
                law.mean(axis=2).reshape(-1, model.n_classes),
                law.mean(axis=1).reshape(-1, model.n_classes),
                law.reshape(-1, model.n_classes),
            )
        ]
        return float(np.abs(self.information(backend) - np.array(exact)).max())

    track_error.unit = "nats"


class Splits:
    """65 536 rows of the published sizes: bits, labels, stratified splits, z-scores."""

    params = (["cpu", "published"],)
    param_names = ("backend",)

    def setup(self, backend):
        self.model = RUSModel(4)
        self.splits(backend)

    def splits(self, backend):
        return self.model.splits(N_SAMPLES, 0).train.X if backend == "cpu" else _looped_splits(self.model)

    def time_splits(self, backend):
        self.splits(backend)

    def peakmem_splits(self, backend):
        self.splits(backend)

    def track_error(self, backend):
        """Largest mean and deviation from 1 of a standardised training column."""
        train = self.splits(backend).astype(np.longdouble)
        return float(max(np.abs(train.mean(axis=0)).max(), np.abs(train.std(axis=0) - 1).max()))

    track_error.unit = "deviations"


class Decompose:
    """The partial information decomposition of RUS models: alphabets of 16 x 16, 32 x 32 and 64 x 64 with 4 labels."""

    params = (["cpu"], [0, 2, 4])
    param_names = ("backend", "n_redundant")

    def setup(self, _, n_redundant):
        self.pmf = RUSModel(n_redundant).relevant_pmf()
        information_decomposition(self.pmf)

    def time_decompose(self, *_):
        information_decomposition(self.pmf)

    def peakmem_decompose(self, *_):
        information_decomposition(self.pmf)

    def track_error(self, *_):
        """What the result's certificate leaves open, nats."""
        return information_decomposition(self.pmf).gap

    track_error.unit = "nats"


def _replica():
    return RUSModel(3, n_relevant=6, n_shared_features=6, n_unique_features=4)


def _entropy(pmf):
    positive = pmf[pmf > 0]
    return -(positive * np.log(positive)).sum()


def _dense_information(model):
    """The published way: p(x, y, label) over all patterns of both views, mostly zeros, and sums over it."""
    n_own, n_patterns = model.n_unique_features, 2**model.n_features
    bits = (np.arange(n_patterns)[:, None] >> np.arange(model.n_features - 1, -1, -1)) & 1
    shared, own_x, own_y = (list(columns) for columns in model.relevant_features)
    n_shared = model.n_shared_features
    columns_x = [*shared, *(n_shared + column for column in own_x)]
    logits_x = bits[:, columns_x] @ model.weights[: len(columns_x)]
    logits_y = bits[:, [n_shared + column for column in own_y]] @ model.weights[len(columns_x) :]
    is_pair = np.arange(n_patterns)[:, None] >> n_own == np.arange(n_patterns) >> n_own
    joint = np.exp((logits_x[:, None] + logits_y) / model.temperature) * is_pair[:, :, None]
    joint /= np.where(is_pair, joint.sum(axis=2), 1)[:, :, None]
    even = 1 / model.n_classes
    for _ in range(100):
        classes = joint.sum(axis=(0, 1)) / is_pair.sum()
        if np.allclose(classes, even, atol=0.01):
            break
        joint *= even / classes
        joint /= np.where(is_pair, joint.sum(axis=2), 1)[:, :, None]
    joint /= is_pair.sum()
    labels = _entropy(joint.sum(axis=(0, 1)))
    views = (joint.sum(axis=1), joint.sum(axis=0), joint.reshape(-1, model.n_classes))
    return np.array([labels + _entropy(view.sum(axis=1)) - _entropy(view) for view in views])


def _looped_splits(model):
    """The published way: a draw of one label at a time."""
    rng = np.random.RandomState(2)
    n_shared, n_own = model.n_shared_features, model.n_unique_features
    indices = [rng.choice(2**n, N_SAMPLES) for n in (n_shared, n_own, n_own)]
    law = model.label_law.reshape(-1, model.n_classes)
    bits = [
        (index[:, None] >> np.arange(n - 1, -1, -1)) & 1
        for index, n in zip(indices, (n_shared, n_own, n_own), strict=True)
    ]
    relevant = np.hstack([b[:, list(columns)] for b, columns in zip(bits, model.relevant_features, strict=True)])
    cells = relevant @ (1 << np.arange(relevant.shape[1] - 1, -1, -1))
    labels = np.array([rng.choice(model.n_classes, p=law[cell]) for cell in cells])
    X = np.hstack([bits[0], bits[1]]).astype(float)
    train = np.concatenate(
        [rng.permutation(np.flatnonzero(labels == k))[: int(0.7 * (labels == k).sum())] for k in range(4)]
    )
    return (X[train] - X[train].mean(axis=0)) / X[train].std(axis=0)

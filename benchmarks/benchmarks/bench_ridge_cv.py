"""Cross-validated R² of components under label permutations: what `crossphase.component_r2` does."""

import numpy as np

from crossphase import component_r2

from .numba_peer import load_kernels

N_SAMPLES, N_COMPONENTS, N_CLASSES, N_FOLDS, N_PERMUTATIONS, ALPHA = 2000, 50, 44, 5, 10, 1.0
N_CHECKED = 3  # components whose R² is computed again, fit by fit, in extended precision


class PermutedR2:
    """50 components against 44 one-hot labels, n = 2000, 5 folds, the labels as they are and 9 permutations."""

    params = (["cpu", "reference", "numpy", "numba"], [1, 2])
    param_names = ("backend", "scores_per_component")

    def setup(self, backend, scores_per_component):
        self.numba_kernels = load_kernels() if backend == "numba" else None
        rng = np.random.default_rng(0)
        classes = rng.permutation(np.arange(N_SAMPLES) % N_CLASSES)
        centres = rng.normal(size=(N_CLASSES, N_COMPONENTS, scores_per_component))
        self.scores = 0.5 * centres[classes] + rng.normal(size=(N_SAMPLES, N_COMPONENTS, scores_per_component))
        self.labels = np.eye(N_CLASSES)[classes]
        self.folds = rng.permutation(np.arange(N_SAMPLES) % N_FOLDS)
        shuffled = [rng.permutation(N_SAMPLES) for _ in range(N_PERMUTATIONS - 1)]
        self.permutations = np.stack([np.arange(N_SAMPLES), *shuffled])
        self.r2(backend)  # compiles, imports, wakes threads

    def r2(self, backend):
        if backend in ("numpy", "numba"):
            fold_products = self.numba_kernels.fold_products if backend == "numba" else _numpy_fold_products
            return _r2_from_fold_sums(self.scores, self.labels, self.folds, self.permutations, fold_products)
        return component_r2(
            self.scores, self.labels, self.folds, ALPHA, permutations=self.permutations, backend=backend
        )

    def time_r2(self, backend, *_):
        self.r2(backend)

    def peakmem_r2(self, backend, *_):
        self.r2(backend)

    def track_error(self, backend, *_):
        """Largest error of R² against fits in extended precision: three components, no and one permutation."""
        r2 = self.r2(backend)
        return max(
            float(np.abs(r2[k, c] - _exact_r2(self.scores[:, c], self.labels[self.permutations[k]], self.folds)).max())
            for k in (0, 1)
            for c in range(N_CHECKED)
        )

    track_error.unit = "largest error of R2"


class DenseLabels:
    """50 components against 100 continuous labels, n = 4000, 5 folds, 40 permutations, products in either precision."""

    params = (["f64", "f32"],)
    param_names = ("precision",)

    def setup(self, precision):
        rng = np.random.default_rng(0)
        self.labels = rng.normal(size=(4000, 100))
        self.scores = rng.normal(size=(4000, N_COMPONENTS))
        self.scores[:, :10] += self.labels[:, :10]
        self.folds = rng.permutation(np.arange(4000) % N_FOLDS)
        self.permutations = np.stack([np.arange(4000), *(rng.permutation(4000) for _ in range(39))])
        self.r2(precision)

    def r2(self, precision):
        return component_r2(
            self.scores, self.labels, self.folds, ALPHA, permutations=self.permutations, precision=precision
        )

    def time_r2(self, precision):
        self.r2(precision)

    def peakmem_r2(self, precision):
        self.r2(precision)

    def track_error(self, precision):
        """Largest error of R² against fits in extended precision: three components."""
        found = self.r2(precision)[0]
        return max(
            float(np.abs(found[c] - _exact_r2(self.scores[:, c, None], self.labels, self.folds)).max())
            for c in range(N_CHECKED)
        )

    track_error.unit = "largest error of R2"


def _exact_r2(scores, labels, folds):
    """One component: fit every fold, predict, sum the squared residuals."""
    x, y = scores.astype(np.longdouble), labels.astype(np.longdouble)
    errors, totals = np.zeros(y.shape[1], np.longdouble), np.zeros(y.shape[1], np.longdouble)
    for fold in range(N_FOLDS):
        is_test = folds == fold
        x_mean, y_mean = x[~is_test].mean(axis=0), y[~is_test].mean(axis=0)
        x_train, x_test = x[~is_test] - x_mean, x[is_test] - x_mean
        gram, moment = x_train.T @ x_train + ALPHA * np.eye(x.shape[1]), x_train.T @ (y[~is_test] - y_mean)
        weights = np.zeros_like(moment)
        for _ in range(3):  # LAPACK solves in float64; residuals in extended precision refine its answer
            weights += np.linalg.solve(gram.astype(float), (moment - gram @ weights).astype(float))
        errors += ((y[is_test] - y_mean - x_test @ weights) ** 2).sum(axis=0)
        totals += ((y[is_test] - y[is_test].mean(axis=0)) ** 2).sum(axis=0)
    return np.maximum(1 - errors / totals, 0)


def _numpy_fold_products(scores, labels, folds, n_folds, permutations):
    """Sums of score times permuted label in each fold, one BLAS product a fold and permutation."""
    order = np.argsort(folds, kind="stable")
    bounds = np.searchsorted(folds[order], np.arange(n_folds + 1))
    ordered = scores[order]
    products = np.empty((len(permutations), n_folds, scores.shape[1], labels.shape[1]))
    for k, permutation in enumerate(permutations):
        permuted = labels[permutation[order]]
        for f in range(n_folds):
            rows = slice(bounds[f], bounds[f + 1])
            np.matmul(ordered[rows].T, permuted[rows], out=products[k, f])
    return products


def _r2_from_fold_sums(scores, labels, folds, permutations, fold_products):
    """R² of every permutation, component and label from sums over folds: train = total - fold."""
    n, n_components, d = scores.shape
    x, y = scores - scores.mean(axis=0), labels - labels.mean(axis=0)
    is_in_fold = (folds == np.arange(N_FOLDS)[:, None]).astype(float)  # (fold, row)
    n_test = is_in_fold.sum(axis=1)
    n_train = n - n_test

    # What permutations leave alone, (fold, component, d[, d]).
    x_sum = np.tensordot(is_in_fold, x, axes=1)
    products_xx = (x[:, :, :, None] * x[:, :, None, :]).reshape(n, -1)
    gram = (is_in_fold @ products_xx).reshape(N_FOLDS, n_components, d, d)
    x_mean = (x_sum.sum(axis=0) - x_sum) / n_train[:, None, None]
    outer_mean = x_mean[..., :, None] * x_mean[..., None, :]
    train_gram = gram.sum(axis=0) - gram - n_train[:, None, None, None] * outer_mean
    mixed = x_mean[..., :, None] * x_sum[..., None, :]
    test_gram = gram - mixed - np.swapaxes(mixed, -1, -2) + n_test[:, None, None, None] * outer_mean
    inverse = np.linalg.inv(train_gram + ALPHA * np.eye(d))

    # What they change, (permutation, fold, component, d, label).
    products_xy = fold_products(x.reshape(n, -1), y, folds, N_FOLDS, permutations)
    products_xy = products_xy.reshape(len(permutations), N_FOLDS, n_components, d, -1)
    fold_of_label = np.stack([folds[np.argsort(permutation)] for permutation in permutations])
    is_label_in_fold = (fold_of_label[:, None, :] == np.arange(N_FOLDS)[:, None]).astype(float)
    y_sum, y_squares = is_label_in_fold @ y, is_label_in_fold @ y**2  # (permutation, fold, label)
    y_mean = (y_sum.sum(axis=1, keepdims=True) - y_sum) / n_train[:, None]
    mean_xy = x_mean[..., None] * y_mean[:, :, None, None, :]
    train_xy = products_xy.sum(axis=1, keepdims=True) - products_xy - n_train[:, None, None, None] * mean_xy
    test_xy = (
        products_xy
        - x_mean[..., None] * y_sum[:, :, None, None, :]
        - x_sum[..., None] * y_mean[:, :, None, None, :]
        + n_test[:, None, None, None] * mean_xy
    )
    weights = inverse @ train_xy
    errors = (weights * (test_gram @ weights - 2 * test_xy)).sum(axis=(1, 3))
    errors += (y_squares - 2 * y_mean * y_sum + n_test[:, None] * y_mean**2).sum(axis=1)[:, None, :]
    totals = (y_squares - y_sum**2 / n_test[:, None]).sum(axis=1)[:, None, :]
    return np.maximum(1 - errors / totals, 0)

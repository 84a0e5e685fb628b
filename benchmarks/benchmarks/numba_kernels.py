"""The kernel families as a Numba user would write them: float64, parallel over the outer loop. Peers only."""

import numpy as np
from numba import njit, prange

_ROWS = 1024  # of a block; a block of one column fits the first-level cache


@njit(parallel=True, fastmath=True, cache=True)
def joint_covariance(X, Y):
    """Covariance of the columns of [X Y] about their means, divided by n - 1."""
    n, p = X.shape
    n_columns = p + Y.shape[1]
    columns = np.empty((n_columns, n))
    for j in prange(n_columns):
        total = 0.0
        for i in range(n):
            columns[j, i] = X[i, j] if j < p else Y[i, j - p]
            total += columns[j, i]
        mean = total / n
        for i in range(n):
            columns[j, i] -= mean
    cov = np.zeros((n_columns, n_columns))
    for start in range(0, n, _ROWS):
        stop = min(start + _ROWS, n)
        for a in prange(n_columns):
            for b in range(a, n_columns):
                total = 0.0
                for i in range(start, stop):
                    total += columns[a, i] * columns[b, i]
                cov[a, b] += total
    for a in range(n_columns):
        for b in range(a, n_columns):
            cov[a, b] /= n - 1
            cov[b, a] = cov[a, b]
    return cov


@njit(parallel=True, cache=True)
def whiten_zca(covs):
    """Symmetric inverse root of each covariance."""
    whiteners = np.empty_like(covs)
    for b in prange(len(covs)):
        values, vectors = np.linalg.eigh(covs[b])
        whiteners[b] = (vectors / np.sqrt(values)) @ vectors.T
    return whiteners


@njit(parallel=True, cache=True)
def whiten_cholesky(covs):
    """Inverse Cholesky factor of each covariance."""
    whiteners = np.empty_like(covs)
    for b in prange(len(covs)):
        whiteners[b] = np.linalg.inv(np.linalg.cholesky(covs[b]))
    return whiteners


@njit(parallel=True, fastmath=True, cache=True)
def project(X, mean, weights):
    """(X - mean) @ weights."""
    n, p = X.shape
    n_scores = weights.shape[1]
    scores = np.zeros((n, n_scores))
    for i in prange(n):
        for j in range(p):
            centred = X[i, j] - mean[j]
            for k in range(n_scores):
                scores[i, k] += centred * weights[j, k]
    return scores


@njit(parallel=True, fastmath=True, cache=True)
def fold_products(scores, labels, folds, n_folds, permutations):
    """Sums of score times permuted label in each fold, (n_permutations, n_folds, n_scores, n_labels)."""
    n, n_scores = scores.shape
    n_labels = labels.shape[1]
    products = np.zeros((len(permutations), n_folds, n_scores, n_labels))
    for k in prange(len(permutations)):
        for i in range(n):
            row = permutations[k, i]
            for c in range(n_scores):
                score = scores[i, c]
                for j in range(n_labels):
                    products[k, folds[i], c, j] += score * labels[row, j]
    return products

"""Alignment and prediction in closed form: what `crossphase.align_and_predict` does."""

import numpy as np

import published_solvers
from crossphase import align_and_predict, cross_moments
from crossphase.covariances import Covariances

N_SHARED = 50


def paired_rows(n_samples, n_features, seed=0):
    """Rows of two views that share 50 directions (or all, if fewer) of correlation 1 / 2."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n_samples, min(N_SHARED, n_features)))
    views = []
    for _ in range(2):
        view = rng.normal(size=(n_samples, n_features))
        view[:, : shared.shape[1]] += shared
        views.append(view)
    return views


def covariances_of_pairs(n_samples, n_features):
    """Contiguous covariances of `paired_rows`."""
    moments = cross_moments(*paired_rows(n_samples, n_features))
    return Covariances(*(np.array(cov) for cov in (moments.cov_xx, moments.cov_yy, moments.cov_xy)))


class FromMoments:
    """The leading 50 of both closed forms from three covariances; 20 000 rows made them."""

    params = (["cpu", "published"], [128, 512])
    param_names = ("backend", "n_features")
    n_components = 50
    timeout = 120

    def setup(self, backend, n_features):
        self.moments = covariances_of_pairs(20_000, n_features)
        self.spectra(backend)  # imports, wakes threads

    def spectra(self, backend):
        m, k = self.moments, self.n_components
        if backend == "cpu":
            found = align_and_predict(m, n_components=k)
            return found.alignment.correlations, found.prediction.gains
        correlations = published_solvers.solve_ca(m.cov_xx, m.cov_yy, m.cov_xy, k)[2][:k]
        return correlations, published_solvers.solve_cp(m.cov_xx, m.cov_xy, k)[1][:k]

    def time_solve(self, backend, *_):
        self.spectra(backend)

    def peakmem_solve(self, backend, *_):
        self.spectra(backend)

    def track_error(self, backend, *_):
        """Largest difference of correlations and gains from the published solvers', whose SVDs are full."""
        return float(
            max(np.abs(a - b).max() for a, b in zip(self.spectra(backend), self.spectra("published"), strict=True))
        )

    track_error.unit = "largest difference"


class FromRows:
    """Both closed forms from 10 000 rows; cca-zoo and scikit-learn solve alignment alone."""

    params = (["cpu", "published", "cca_zoo", "sklearn"], [64])
    param_names = ("backend", "n_features")
    n_samples, n_components = 10_000, 10
    timeout = 300

    def setup(self, backend, n_features):
        if backend == "cca_zoo":
            try:
                import cca_zoo.linear  # noqa: F401
            except ImportError as error:
                raise NotImplementedError from error  # asv skips it
        self.X, self.Y = paired_rows(self.n_samples, n_features)

    def correlations(self, backend):
        return CORRELATIONS[backend](self.X, self.Y, self.n_components)

    def time_fit(self, backend, *_):
        self.correlations(backend)

    def peakmem_fit(self, backend, *_):
        self.correlations(backend)

    def track_error(self, backend, *_):
        """Largest difference of the canonical correlations from the published solver's."""
        return float(np.abs(self.correlations(backend) - self.correlations("published")).max())

    track_error.unit = "largest difference"


def _ours(X, Y, k):
    return align_and_predict(cross_moments(X, Y), n_components=k).alignment.correlations


def _published(X, Y, k):
    return published_solvers.solve_from_rows(X, Y, k)[0]


def _cca_zoo(X, Y, k):
    from cca_zoo.linear import CCA

    weights = CCA(n_components=k).fit([X, Y]).weights_
    return _score_correlations(X @ weights[0], Y @ weights[1])


def _sklearn(X, Y, k):
    from sklearn.cross_decomposition import CCA

    return _score_correlations(*CCA(n_components=k, scale=False, max_iter=10_000).fit(X, Y).transform(X, Y))


def _score_correlations(x, y):
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.sum(x * y, axis=0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)


CORRELATIONS = {"cpu": _ours, "published": _published, "cca_zoo": _cca_zoo, "sklearn": _sklearn}

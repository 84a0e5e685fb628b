"""Plain NumPy in float64: our definition of correct. Same names and arguments as the kernels in ``crossphase._core``."""

from crossphase.reference.leading_eigenvectors import leading_eigenvectors
from crossphase.reference.moments import CrossMoments
from crossphase.reference.projection import project
from crossphase.reference.ridge_cv import component_r2
from crossphase.reference.whitening import whitening_matrix

__all__ = ["CrossMoments", "component_r2", "leading_eigenvectors", "project", "whitening_matrix"]

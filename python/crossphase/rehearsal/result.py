"""What a rehearsal found."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crossphase.errors import InputValueError
from crossphase.rehearsal.candidates import AtUse, Candidate

_Z95 = 1.959963984540054  # 97.5 % point of the normal law


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its standard error and 95 % interval."""

    value: float
    low: float
    high: float
    standard_error: float

    @classmethod
    def normal(cls, value: float, standard_error: float) -> Estimate:
        """With the interval of a normal law."""
        return cls(value, value - _Z95 * standard_error, value + _Z95 * standard_error, standard_error)


@dataclass(frozen=True, slots=True, eq=False)
class BudgetRehearsal:
    """Scores of the candidates where so many labels train the probe."""

    label_budget: int | None  # None: all that are not held out
    n_train_labels: float  # mean number of labels a probe was trained on; below the budget where labels are few
    candidates: tuple[Candidate, ...]
    scores: np.ndarray  # (n_candidates,): balanced accuracy in [0, 1], or R²
    covariance: np.ndarray  # (n_candidates, n_candidates) of their errors

    def score(self, candidate: Candidate | str) -> Estimate:
        """The score of a candidate."""
        weights = np.zeros(len(self.candidates))
        weights[self._place(candidate)] = 1.0
        return self._contrast(weights)

    def difference(self, candidate: Candidate | str, reference: Candidate | str) -> Estimate:
        """Score of a candidate minus that of another, on the same rows and labels."""
        weights = np.zeros(len(self.candidates))
        weights[self._place(candidate)] += 1.0
        weights[self._place(reference)] -= 1.0
        return self._contrast(weights)

    @property
    def best_single(self) -> Candidate:
        """The frozen view with the higher score."""
        return max((Candidate.X, Candidate.Y), key=lambda c: float(self.scores[self._place(c)]))

    def _place(self, candidate: Candidate | str) -> int:
        if candidate not in self.candidates:
            raise InputValueError(f"candidate must be one of {', '.join(self.candidates)}; got {candidate!r}.")
        return self.candidates.index(Candidate(candidate))

    def _contrast(self, weights: np.ndarray) -> Estimate:
        error = math.sqrt(max(float(weights @ self.covariance @ weights), 0.0))
        return Estimate.normal(float(weights @ self.scores), error)


@dataclass(frozen=True, slots=True, eq=False)
class Rehearsal:
    """Every objective tried in closed form on held-out rows, at several numbers of labels."""

    at_use: AtUse
    metric: str  # "balanced_accuracy", "r2", or "mean_of_both" over several variables
    chance: float  # score of a probe that knows nothing
    budgets: tuple[BudgetRehearsal, ...]
    ridges: tuple[float, ...]  # chosen in each fold, in units of the mean variance of the standardized columns
    width: int  # outputs of a head
    n_samples: int
    n_labelled: int
    n_folds: int

    def at(self, label_budget: int | None) -> BudgetRehearsal:
        """The part of one label budget."""
        for budget in self.budgets:
            if budget.label_budget == label_budget:
                return budget
        raise InputValueError(
            f"label_budget must be one of {[b.label_budget for b in self.budgets]}; got {label_budget!r}."
        )

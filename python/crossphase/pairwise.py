"""More than two views: every pair diagnosed, and the pair most worth training on."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np

from crossphase.diagnosis import Diagnosis, Objective, diagnose, inputs
from crossphase.diagnosis.serialize import plain
from crossphase.diagnosis.text import number
from crossphase.errors import InputTypeError, InputValueError, InputWarning
from crossphase.readers import read_labels
from crossphase.rehearsal import candidate_of
from crossphase.samples import as_samples
from crossphase.sources import RowSource

SCHEMA_VERSION = 2  # of the diagnoses inside it


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PairwiseDiagnosis:
    """The diagnoses of all pairs of views; in each the first name is its X and the second its Y."""

    view_names: tuple[str, ...]
    pairs: Mapping[tuple[str, str], Diagnosis]
    best_pair: tuple[str, str] | None  # None: no pair is worth more than its better view

    @property
    def delta_ca(self) -> np.ndarray:
        """(n_views, n_views), symmetric: separation ratio of aligning i and j; NaN on the diagonal."""
        return self._matrix(lambda d: (d.delta_ca.value, d.delta_ca.value))

    @property
    def delta_cp(self) -> np.ndarray:
        """(n_views, n_views): separation ratio of predicting view j from view i; NaN on the diagonal."""
        return self._matrix(lambda d: (d.delta_cp.value, d.delta_cp_reverse.value))

    @property
    def advice(self) -> dict[tuple[str, str], str]:
        """For each pair what to train, in the views' names."""
        return {pair: advice_of(d, *pair) for pair, d in self.pairs.items()}

    def __repr__(self) -> str:
        return f"<PairwiseDiagnosis {', '.join(self.view_names)}: {self._headline()}>"

    def __str__(self) -> str:
        texts = [(f"{x} × {y}", self.advice[x, y]) for x, y in self.pairs]
        width, advice_width = max(len(t) for t, _ in texts) + 2, max(len(t) for _, t in texts) + 2
        lines = [
            f"Best pair: {self._headline()}",
            "",
            f"    {'pair':<{width}}{'what to train':<{advice_width}}{'Δ align':>9}{'Δ →':>9}{'Δ ←':>9}",
        ]
        for (pair, d), (name, text) in zip(self.pairs.items(), texts, strict=True):
            ratios = "".join(f"{number(r.value):>9}" for r in (d.delta_ca, d.delta_cp, d.delta_cp_reverse))
            lines.append(f"  {'*' if pair == self.best_pair else ' '} {name:<{width}}{text:<{advice_width}}{ratios}")
        lines += [
            "",
            "  Δ →: the second view predicted from the first; Δ ←: the first from the second;",
            "  above 1 the objective keeps every signal direction. Each pair's evidence:",
            "  print(result.pairs[x, y]).",
        ]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python objects: what `to_json` writes. Infinity becomes ``"Infinity"``, NaN ``None``."""
        return {
            "schema_version": SCHEMA_VERSION,
            "view_names": list(self.view_names),
            "best_pair": None if self.best_pair is None else list(self.best_pair),
            "delta_ca": plain(self.delta_ca),
            "delta_cp": plain(self.delta_cp),
            "pairs": [
                {"x": x, "y": y, "advice": advice_of(d, x, y), "diagnosis": d.to_dict()}
                for (x, y), d in self.pairs.items()
            ],
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """JSON of `to_dict`; each pair's diagnosis follows ``crossphase/diagnosis/schema.json``."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    def _headline(self) -> str:
        if self.best_pair is None:
            return "none; no pair is worth more than its better view"
        return f"{' × '.join(self.best_pair)}: {self.advice[self.best_pair]}"

    def _matrix(self, values: Any) -> np.ndarray:
        places = {name: i for i, name in enumerate(self.view_names)}
        matrix = np.full((len(places), len(places)), np.nan)
        for (x, y), d in self.pairs.items():
            matrix[places[x], places[y]], matrix[places[y], places[x]] = values(d)
        return matrix


def diagnose_pairs(views: Mapping[str, Any], labels: Any, **options: Any) -> PairwiseDiagnosis:
    """Diagnose every pair of several views of the same samples.

    Parameters
    ----------
    views : mapping of str to array or path
        At least two; row i of each is the same sample. Paths are opened once.
    labels : as for `crossphase.diagnose`
    **options
        Passed to `crossphase.diagnose` for every pair.

    Returns
    -------
    PairwiseDiagnosis

    Raises
    ------
    InputValueError, InputTypeError
        As `crossphase.diagnose`, with the pair's names.

    Warns
    -----
    InputWarning
        As `crossphase.diagnose`, with the pair's names; each sentence once.

    Examples
    --------
    >>> import crossphase, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(500, 2))
    >>> views = {name: np.hstack([shared + rng.normal(size=(500, 2)), rng.normal(size=(500, 4))]) for name in ("a", "b", "c")}
    >>> crossphase.diagnose_pairs(views, shared).delta_ca.shape
    (3, 3)
    """
    opened = _opened(views)
    if isinstance(labels, str | os.PathLike):
        labels = read_labels(labels)
    pairs, said = {}, set()
    for x, y in combinations(opened, 2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                pairs[x, y] = diagnose(opened[x], opened[y], labels, **options)
            except (InputValueError, InputTypeError) as error:
                if str(error).startswith("labels"):  # which are the same for every pair
                    raise
                raise type(error)(f"views {x!r} (X) and {y!r} (Y): {error}") from error
        for warning in caught:
            view = {"X": x, "Y": y}.get(str(warning.message).split(":")[0])
            # A view's own defect is the same in all its pairs; anything else is said for its pair.
            said_of = (view, str(warning.message)[1:]) if view else str(warning.message)
            if said_of not in said:
                said.add(said_of)
                where = f"view {view!r}" if view else f"views {x!r} and {y!r}"
                is_ours = issubclass(warning.category, InputWarning)
                text = f"{where}: {warning.message}" if is_ours else warning.message
                warnings.warn(text, warning.category, stacklevel=2)
    return PairwiseDiagnosis(tuple(opened), MappingProxyType(pairs), best_of(pairs.items()))


def pair_score(diagnosis: Diagnosis) -> float:
    """How much a pair has to give that neither view has alone; -inf if it is advised to use one view, or undecided.

    The rehearsed score of what is recommended; without a rehearsal, the recommended objective's log separation ratio.
    """
    objective = diagnosis.recommendation.objective
    if diagnosis.rehearsal is not None:
        if objective in (Objective.SINGLE_MODALITY_X, Objective.SINGLE_MODALITY_Y, Objective.UNDECIDED):
            return -math.inf
        budget = diagnosis.rehearsal.budgets[-1]
        return budget.score(candidate_of(objective, diagnosis.rehearsal.at_use)).value
    ratios = {
        Objective.ALIGN: diagnosis.delta_ca,
        Objective.PREDICT_Y_FROM_X: diagnosis.delta_cp,
        Objective.PREDICT_X_FROM_Y: diagnosis.delta_cp_reverse,
    }
    ratio = ratios.get(objective)
    return math.log(ratio.value) if ratio is not None and ratio.value > 0 else -math.inf


def best_of(pairs: Iterable[tuple[tuple[str, str], Diagnosis]]) -> tuple[str, str] | None:
    """The pair with the highest `pair_score`, the first of equals; None if every pair has -inf."""
    scores = {pair: pair_score(diagnosis) for pair, diagnosis in pairs}
    best = max(scores, key=lambda pair: scores[pair])
    return best if scores[best] > -math.inf else None


def advice_of(diagnosis: Diagnosis, x: str, y: str) -> str:
    """The recommended objective with the views' names in place of x and y."""
    words = str(diagnosis.recommendation.objective).split("_")
    return " ".join({"x": x, "y": y}.get(word, word) for word in words)


def _opened(views: Any) -> dict[str, Any]:
    if not isinstance(views, Mapping):
        raise InputTypeError(f"views must be a mapping of names to arrays or paths; got {type(views).__name__}.")
    if len(views) < 2:
        raise InputValueError(
            f"views must hold at least two; got {len(views)}. One view alone has nothing to be paired with."
        )
    opened = {}
    for name, values in views.items():
        if not isinstance(name, str) or not name:
            raise InputTypeError(f"views must have names, strings; got {name!r}.")
        given = inputs.opened(values, f"views[{name!r}]")
        if inputs.stored_bytes(given) <= inputs.IN_MEMORY_BYTES:  # else it is read once for every pair
            given = inputs.in_memory(given)
        opened[name] = given if isinstance(given, RowSource) else as_samples(given, f"views[{name!r}]").array
    rows = {name: given.n_samples if isinstance(given, RowSource) else len(given) for name, given in opened.items()}
    if len(set(rows.values())) > 1:
        raise InputValueError(
            f"views must have the same number of rows, row i of each being the same sample; got {rows}."
        )
    return opened

"""What a pairing audit holds, and how it reads."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from crossphase.pairing.duplicates import DuplicateRows

WIDTH = 80


class PairingVerdict(StrEnum):
    """Does row i of X belong to row i of Y?"""

    PAIRED = "paired"  # nothing speaks against it
    SHIFTED = "shifted"  # row i of X belongs to row i + shift of Y
    PARTLY_PAIRED = "partly_paired"  # some rows belong elsewhere
    UNPAIRED = "unpaired"  # no more dependence than shuffled rows show


@dataclass(frozen=True, slots=True)
class SuspiciousRows:
    """Rows ``start`` to ``stop`` (exclusive), whose partners seem to be elsewhere."""

    start: int
    stop: int
    shift: int  # row i of X agrees with row i + shift of Y; 0: with none nearby, as if shuffled
    agreement: float  # of these rows as they stand; 1: as the others, 0: as shuffled rows


@dataclass(frozen=True, slots=True, eq=False)
class PairingAudit:
    """Evidence on whether the rows of two views are paired. ``print`` shows it in sentences."""

    verdict: PairingVerdict
    reason: str
    p_value: float  # of shuffled rows showing as much dependence as these
    held_out_z: float  # held-out agreement, in standard deviations of shuffled rows
    held_out_correlations: np.ndarray  # (k,), of canonical directions fitted to other rows, 0 for negative ones
    shift: int  # of all rows: row i of X belongs to row i + shift of Y; 0 unless the verdict is "shifted"
    suspicious_rows: tuple[SuspiciousRows, ...]
    misplaced_low: (
        float  # bounds on the share of rows out of place; one exchanged with a row much like it counts as in place
    )
    misplaced_high: float
    duplicates: DuplicateRows
    warnings: tuple[tuple[str, str], ...]  # (code, sentence)
    n_samples: int
    n_examined: int  # rows the verdict is from; duplicates are looked for among all
    n_permutations: int

    @property
    def is_intact(self) -> bool:
        """Whether nothing speaks against the pairing."""
        return self.verdict is PairingVerdict.PAIRED

    def __repr__(self) -> str:
        return f"<PairingAudit {self.verdict}: p={self.p_value:.3g}, {self.n_samples} samples>"

    def __str__(self) -> str:
        lines = [f"Pairing: {self.verdict.replace('_', ' ')}", *_wrapped(self.reason, "  ")]
        for stretch in self.suspicious_rows:
            what = f"row i of X agrees with row {offset_row(stretch.shift)} of Y" if stretch.shift else "as if shuffled"
            lines.append(f"  rows {stretch.start} to {stretch.stop - 1}: {what}")
        for code, sentence in self.warnings:
            lines += _wrapped(f"[{code}] {sentence}", "  ! ")
        evidence = (
            f"p = {self.p_value:.3g} against {self.n_permutations} shuffles, held-out agreement {self.held_out_z:.1f} standard "
            f"deviations above them; {self.misplaced_low:.0%} to {self.misplaced_high:.0%} of rows may be out of place; "
            f"{self.n_examined} of {self.n_samples} rows examined, all for duplicates."
        )
        return "\n".join([*lines, *_wrapped(evidence, "  ")])

    def to_dict(self) -> dict[str, Any]:
        """Plain Python objects: what `to_json` writes. The groups that duplicates make are left out: one number a row."""
        found = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        duplicates = {f.name: getattr(self.duplicates, f.name) for f in dataclasses.fields(self.duplicates)}
        del duplicates["groups"]
        return {
            **found,
            "verdict": str(self.verdict),
            "held_out_correlations": self.held_out_correlations.tolist(),
            "suspicious_rows": [dataclasses.asdict(stretch) for stretch in self.suspicious_rows],
            "duplicates": {
                name: [list(pair) for pair in value] if isinstance(value, tuple) else value
                for name, value in duplicates.items()
            },
            "warnings": [list(warning) for warning in self.warnings],
        }

    def to_json(self, *, indent: int | None = 2) -> str:
        """JSON of `to_dict`."""
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)


def offset_row(shift: int) -> str:
    """The row that is `shift` rows after row i."""
    return f"i {'+' if shift > 0 else '−'} {abs(shift)}"


def _wrapped(sentence: str, prefix: str) -> list[str]:
    return textwrap.wrap(sentence, WIDTH, initial_indent=prefix, subsequent_indent=" " * len(prefix))

"""Rehearsal: every objective tried cheaply, in closed form, before anything is trained."""

from __future__ import annotations

from crossphase.rehearsal.candidates import AtUse, Candidate
from crossphase.rehearsal.decision import Decision, candidate_of, decide
from crossphase.rehearsal.result import BudgetRehearsal, Estimate, Rehearsal
from crossphase.rehearsal.run import rehearse, rehearse_checked

__all__ = [
    "AtUse",
    "BudgetRehearsal",
    "Candidate",
    "Decision",
    "Estimate",
    "Rehearsal",
    "candidate_of",
    "decide",
    "rehearse",
    "rehearse_checked",
]

"""Rehearsal: every objective tried cheaply, in closed form, before anything is trained."""

from __future__ import annotations

from crossphase.rehearsal.candidates import AtUse, Candidate
from crossphase.rehearsal.decision import Decision, Plan, decide
from crossphase.rehearsal.result import BudgetRehearsal, Estimate, Rehearsal
from crossphase.rehearsal.run import rehearse

__all__ = ["AtUse", "BudgetRehearsal", "Candidate", "Decision", "Estimate", "Plan", "Rehearsal", "decide", "rehearse"]

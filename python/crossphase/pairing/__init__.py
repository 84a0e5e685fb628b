"""Whether row i of one view belongs to row i of the other, asked of the rows themselves."""

from crossphase.pairing.audit import audit_pairing
from crossphase.pairing.duplicates import DuplicateRows
from crossphase.pairing.result import PairingAudit, PairingVerdict, SuspiciousRows

__all__ = ["DuplicateRows", "PairingAudit", "PairingVerdict", "SuspiciousRows", "audit_pairing"]

"""The four parts of the information that two views hold about labels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InformationDecomposition:
    """Partial information decomposition of ``I(X, Y; labels)``, in nats (divide by ``math.log(2)`` for bits).

    ``information_x = redundancy + unique_x``, ``information_y = redundancy + unique_y`` and ``information_joint`` is the sum
    of all four parts. The union information, ``information_joint - synergy``, is the least that any two views with the same
    laws of (X, labels) and of (Y, labels) hold together; it was found up to `gap`.
    """

    redundancy: float  # >= 0; held by X and by Y. The exact value is in [redundancy, redundancy + gap]
    unique_x: float  # >= 0; held by X alone. Exact: [unique_x - gap, unique_x]
    unique_y: float  # >= 0; held by Y alone. Exact: [unique_y - gap, unique_y]
    synergy: float  # >= 0; held by the pair and by neither. Exact: [synergy, synergy + gap]
    information_x: float  # I(X; labels)
    information_y: float  # I(Y; labels)
    information_joint: float  # I(X, Y; labels)
    gap: float  # certified by duality, up to rounding (about 1e-14); 0 for a closed form

    @property
    def co_information(self) -> float:
        """``I(X; labels) + I(Y; labels) - I(X, Y; labels)``, which is redundancy minus synergy."""
        return self.information_x + self.information_y - self.information_joint


def decompose(
    information_x: float, information_y: float, information_joint: float, union: float, gap: float
) -> InformationDecomposition:
    """The four parts from the three informations and the union information.

    The exact union information lies between the larger of the first two on one hand, the third and the sum of the first two on
    the other; forcing the computed one in between brings it closer and makes every part at least 0.
    """
    union = min(union, information_joint, information_x + information_y)
    union = max(union, information_x, information_y)
    return InformationDecomposition(
        redundancy=max(information_x + information_y - union, 0.0),
        unique_x=union - information_y,
        unique_y=union - information_x,
        synergy=max(information_joint - union, 0.0),
        information_x=information_x,
        information_y=information_y,
        information_joint=information_joint,
        gap=gap,
    )

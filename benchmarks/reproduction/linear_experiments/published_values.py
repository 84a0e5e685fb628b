"""Numbers that the experiments are compared with, where formulas do not give them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# E3: (theory, from samples) by γ̃_y; theory follows from the formulas, the second from an earlier simulation. The paper (Fig. 8)
# says that the two are in "close agreement throughout" and prints no numbers.
E3_TABLE: Mapping[float, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        100.0: {"Δ_CA": (17.78, 6.56), "Δ_CP": (3.77, 1.46)},
        10.0: {"Δ_CA": (5.62, 3.76), "Δ_CP": (3.77, 2.48)},
        1.0: {"Δ_CA": (1.78, 1.61), "Δ_CP": (3.77, 3.29)},
        0.1: {"Δ_CA": (0.90, 1.00), "Δ_CP": (6.02, 5.67)},
    }
)

# E4, from the paper's Fig. 3 and its text: where the distance of CP takes off, and how far CA holds.
E4_FAILURE_CP, E4_HOLDS_CA = 0.15, 0.75

# E5, from the paper's Fig. 9.
E5_TOTAL_CA, E5_TOTAL_CP, E5_SIGNAL_CP = 850.0, 730.0, 150.0

# E8, simulated: the largest of 20 sample correlations whose population values are all .05, at n = 5000.
E8_WEAK_NU, E8_TOP_AT_WEAK_NU = 0.05, 0.137

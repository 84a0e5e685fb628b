"""What may be trained on a pair of views."""

from __future__ import annotations

from enum import StrEnum


class Objective(StrEnum):
    """What to train, if anything."""

    ALIGN = "align"
    PREDICT_Y_FROM_X = "predict_y_from_x"
    PREDICT_X_FROM_Y = "predict_x_from_y"
    JOINT = "joint"
    CONCATENATE = "concatenate"  # no cross-modal training: both views side by side
    SINGLE_MODALITY_X = "single_modality_x"
    SINGLE_MODALITY_Y = "single_modality_y"
    UNDECIDED = "undecided"

    @property
    def is_cross_modal(self) -> bool:
        """Whether a model of one view is trained with the other."""
        return self in _CROSS_MODAL


_CROSS_MODAL = (Objective.ALIGN, Objective.PREDICT_Y_FROM_X, Objective.PREDICT_X_FROM_Y, Objective.JOINT)

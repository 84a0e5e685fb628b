"""Labels as people have them, made numeric: classes one-hot, measurements as columns."""

from crossphase.labels.encoder import LabelEncoder, LabelEncoding, LabelVariable, label_encoder
from crossphase.labels.matrix import LabelMatrix, encode_labels
from crossphase.labels.raw import is_missing

__all__ = [
    "LabelEncoder",
    "LabelEncoding",
    "LabelMatrix",
    "LabelVariable",
    "encode_labels",
    "is_missing",
    "label_encoder",
]

"""Readers of row blocks: files larger than memory, read by position, checked before anything is allocated."""

from crossphase.sources import read_ahead
from crossphase.sources.opening import ROW_FORMATS, is_row_file, open_rows
from crossphase.sources.source import RowSource

__all__ = ["ROW_FORMATS", "RowSource", "is_row_file", "open_rows", "read_ahead"]

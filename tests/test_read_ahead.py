"""Blocks of paired rows come in order, and the thread that reads them ends with whoever asked."""

import threading

import numpy as np
import pytest

from crossphase.errors import InputValueError
from crossphase.sources import open_rows, read_ahead


def pair(n_samples=1000, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_samples, 3)), rng.standard_normal((n_samples, 2)).astype(np.float32)


def reader_threads():
    return [thread for thread in threading.enumerate() if "crossphase-read-ahead" in thread.name]


@pytest.mark.parametrize("first", [0, 1, 63, 64, 65, 999])
@pytest.mark.parametrize("n_rows", [1, 64, 100, 5000])
def test_blocks_cover_the_rows_and_end_on_the_grid(first, n_rows):
    x, y = pair()
    position = first
    for start, (rows_x, rows_y) in read_ahead.blocks(open_rows(x, "X"), open_rows(y, "Y"), first, 1000, n_rows):
        assert start == position
        assert len(rows_x) == len(rows_y)
        position += len(rows_x)
        assert position % n_rows == 0 or position == 1000
        assert rows_x.tobytes() == x[start:position].tobytes()
        assert rows_y.tobytes() == y[start:position].tobytes()
    assert position == 1000
    assert not reader_threads()


def test_no_rows_no_blocks():
    x, y = (open_rows(values, name) for values, name in zip(pair(), "XY", strict=True))
    assert list(read_ahead.blocks(x, y, 7, 7, 10)) == []


class Failing:
    """Rows that cannot be read from some row on."""

    spec, name, n_samples, n_features, dtype = None, "X", 1000, 3, np.dtype(np.float64)

    def read(self, first, stop):
        if stop > 300:
            raise InputValueError("X: the disk is gone.")
        return np.zeros((stop - first, 3))

    def fingerprint(self):
        return ""

    def require_unchanged(self):
        pass


def test_what_reading_raises_is_raised_here_after_the_blocks_before_it():
    starts = []
    iterator = read_ahead.blocks(Failing(), open_rows(pair()[1], "Y"), 0, 1000, 100)
    with pytest.raises(InputValueError, match="the disk is gone"):
        starts.extend(start for start, _ in iterator)
    assert starts == [0, 100, 200]
    assert not reader_threads()


def test_a_consumer_may_stop():
    x, y = (open_rows(values, name) for values, name in zip(pair(), "XY", strict=True))
    iterator = read_ahead.blocks(x, y, 0, 1000, 10)
    next(iterator)
    assert len(reader_threads()) == 1
    iterator.close()
    assert not reader_threads()


def test_rows_that_are_not_there():
    x, y = open_rows(pair()[0], "X"), open_rows(pair(10)[1], "Y")
    with pytest.raises(InputValueError, match="stop must be at most 10, the rows of Y; got 1000"):
        read_ahead.blocks(x, y, 0, 1000, 10)

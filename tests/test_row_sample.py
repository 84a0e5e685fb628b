"""The row sample: a fair draw that depends on the rows seen and on nothing else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import problems
from crossphase.row_sample import RowSample, RowSampler, sample_capacity

MASK = 2**64 - 1


def splitmix64(position: int) -> int:
    """Output number `position` of the generator of seed 0, in integers of any size."""
    z = (position + 1) * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def block(first: int, stop: int) -> tuple[np.ndarray, ...]:
    """Rows that say which row they are."""
    rows = np.arange(first, stop)
    X = (rows[:, None] % 60_000).astype(np.uint16)
    return X, np.column_stack([rows, -rows]).astype(np.float32), np.sqrt(rows)[:, None], rows % 3 == 0


def sampled(first: int, stop: int, capacity: int, chunk: int) -> RowSample:
    sampler = RowSampler(capacity)
    for start in range(first, stop, chunk):
        sampler.add(start, *block(start, min(start + chunk, stop)))
    return sampler.sample()


def sample_bytes(sample: RowSample) -> bytes:
    return b"".join(part.tobytes() for part in sample.parts)


def test_the_hash_is_splitmix64() -> None:
    # First outputs of Vigna's reference implementation for seed 0.
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]
    assert [splitmix64(i) for i in range(4)] == published


@pytest.mark.parametrize(
    ("first", "n", "capacity"), [(0, 500, 40), (12_345, 3000, 200), (2**40, 300, 299), (7, 30, 40)]
)
def test_rows_of_lowest_hash_are_kept(first: int, n: int, capacity: int) -> None:
    lowest = sorted(sorted(range(first, first + n), key=splitmix64)[:capacity])
    sample = sampled(first, first + n, capacity, 64)
    assert sample.positions.tolist() == lowest
    everything = block(first, first + n)
    for held, given_rows in zip(sample.parts[1:], everything, strict=True):
        assert held.dtype == given_rows.dtype
        assert np.array_equal(held, given_rows[sample.positions - first])


@given(st.lists(st.integers(0, 3000), max_size=6), st.lists(st.integers(1, 900), min_size=7, max_size=7), st.randoms())
def test_sample_does_not_depend_on_blocks_shards_or_merge_order(inner: list[int], chunks: list[int], random) -> None:
    cuts = sorted({0, *inner, 3000})
    shards = [sampled(a, b, 100, chunk) for (a, b), chunk in zip(itertools.pairwise(cuts), chunks, strict=False)]
    random.shuffle(shards)
    expected = sample_bytes(sampled(0, 3000, 100, 3000))
    assert sample_bytes(shards[0].merge(*shards[1:])) == expected
    merged = shards[0]
    for other in shards[1:]:
        merged = other.merge(merged)
    assert sample_bytes(merged) == expected


def test_a_resumed_sampler_goes_on_where_it_was() -> None:
    kept = sampled(0, 1700, 100, 300)
    before = sample_bytes(kept)
    sampler = RowSampler.resume(kept)
    sampler.add(1700, *block(1700, 3000))
    assert sample_bytes(sampler.sample()) == sample_bytes(sampled(0, 3000, 100, 3000))
    assert sample_bytes(kept) == before


def test_a_sample_is_its_own_memory() -> None:
    sampler = RowSampler(10)
    sampler.add(0, *block(0, 40))
    early = sampler.sample()
    before = sample_bytes(early)
    sampler.add(40, *block(40, 4000))
    assert sample_bytes(early) == before != sample_bytes(sampler.sample())


def test_rows_near_and_far_are_drawn_alike() -> None:
    """Counts of 16 equal stretches of positions: chi-square of 15 degrees, whose 1 - 1e-6 quantile is 58.1."""
    positions = sampled(0, 64_000, 3200, 4096).positions
    counts = np.bincount(positions // 4000, minlength=16)
    assert (((counts - 200) ** 2) / 200).sum() < 58.1
    # Neighbours, which often resemble each other, are not drawn together more than chance has it: 3200 * 0.05 = 160, sd 12.3.
    assert abs((np.diff(positions) == 1).sum() - 160) < 5 * 12.3


@pytest.mark.parametrize(
    ("n_features", "capacity"), [(2, 20_000), (838, 20_000), (1280, 13_107), (16_384, 1024), (40_000, 1000)]
)
def test_capacity_bounds_memory(n_features: int, capacity: int) -> None:
    assert sample_capacity(n_features) == capacity


def test_a_sampler_holds_no_more_than_its_sample(rng: np.random.Generator) -> None:
    """Memory of 40 blocks is that of the capacity, not of the rows that were in it once."""
    import tracemalloc

    X, Y = problems.generator(3).standard_normal((2, 4096, 50))
    labels, is_labelled = np.empty((4096, 0)), np.zeros(4096, dtype=bool)
    sampler = RowSampler(2000)
    tracemalloc.start()
    for start in range(0, 40 * 4096, 4096):
        sampler.add(start, X, Y, labels, is_labelled)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = 2000 * (100 * 8 + 8 + 1)
    assert held < 1.1 * rows  # the hashes are 8 of 809 bytes
    assert peak < 2.2 * rows  # while the first block, all of it candidates, is copied

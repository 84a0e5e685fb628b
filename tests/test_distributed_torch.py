"""States gathered over gloo have the bytes of one process, in every process; what does not fit is refused in all of them."""

import itertools

import numpy as np
import pytest

from crossphase import InputTypeError, InputValueError, summarize_pair
from crossphase.distributed.torch import gather_states

torch = pytest.importorskip("torch")
N_SAMPLES = 5000


def pair(seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal((N_SAMPLES, 6)).astype(np.float32),
        rng.standard_normal((N_SAMPLES, 4)),
        np.arange(N_SAMPLES) % 3,
    )


# A shard is its rows and the seed of the data set they are of.
MERGED = {
    "halves": [((0, 2500), 0), ((2500, 5000), 0)],
    "unequal, not on the grid, in the other order": [((1, 5000), 0), ((0, 1), 0)],
    "a process without rows": [((0, 5000), 0), (None, 0)],
}
REFUSED = {
    "the state of rank 0 and the state of rank 1 both hold rows 2500 to 2999": [((0, 3000), 0), ((2500, 5000), 0)],
    "the state of rank 0 and the state of rank 1 are of different data sets": [((0, 2500), 0), ((2500, 5000), 1)],
    "no process brought rows 2000 to 2499 of 5000": [((0, 2000), 0), ((2500, 5000), 0)],
    "got none": [(None, 0), (None, 0)],
}
# A refusal leaves the group in step: those in between must not change what the others get.
CASES = [case for pair in itertools.zip_longest(REFUSED.items(), MERGED.items()) for case in pair if case]


def process(rank, rendezvous, folder):
    """What one process does for each case: summarize its rows, gather, write down what came."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=2)
    try:
        for number, (_, shards) in enumerate(CASES):
            rows, seed = shards[rank]
            state = None if rows is None else summarize_pair(*pair(seed), rows=rows, n_threads=1)
            try:
                content = gather_states(state).to_bytes()
            except InputValueError as error:
                content = str(error).encode()
            (folder / f"{number}.{rank}").write_bytes(content)
    finally:
        torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    """What each of two processes has in the end, by case; started once, as they take seconds to import torch."""
    folder = tmp_path_factory.mktemp("gathered")
    torch.multiprocessing.spawn(process, (folder / "rendezvous", folder), nprocs=2)
    return {
        case: [(folder / f"{number}.{rank}").read_bytes() for rank in range(2)]
        for number, (case, _) in enumerate(CASES)
    }


@pytest.mark.parametrize("case", MERGED)
def test_every_process_has_the_bytes_of_one(gathered, case):
    expected = summarize_pair(*pair()).to_bytes()
    assert gathered[case] == [expected, expected]


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_does_not_fit_is_refused_in_every_process(gathered, sentence):
    for content in gathered[sentence]:
        assert sentence in content.decode()


def test_without_a_group():
    with pytest.raises(InputValueError, match=r"call torch\.distributed\.init_process_group first"):
        gather_states(None)
    with pytest.raises(InputTypeError, match="state must be a PairState or None; got bytes"):
        gather_states(b"")

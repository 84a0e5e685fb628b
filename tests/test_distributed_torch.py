"""States gathered over gloo have the bytes of one process, in every process; what does not fit is refused in all of them."""

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


def process(rank, n_processes, rendezvous, shards, folder):
    """What one process does: summarize its rows, gather, write down what came."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=n_processes)
    try:
        rows, seed = shards[rank]
        state = None if rows is None else summarize_pair(*pair(seed), rows=rows, n_threads=1)
        try:
            content = gather_states(state).to_bytes()
        except InputValueError as error:
            content = str(error).encode()
        (folder / str(rank)).write_bytes(content)
    finally:
        torch.distributed.destroy_process_group()


def gathered(tmp_path, shards):
    """What every process has in the end; a shard is its rows and the seed of the data set they are of."""
    torch.multiprocessing.spawn(process, (len(shards), tmp_path / "rendezvous", shards, tmp_path), nprocs=len(shards))
    return [(tmp_path / str(rank)).read_bytes() for rank in range(len(shards))]


@pytest.mark.parametrize(
    "shards",
    [
        [((0, 2500), 0), ((2500, 5000), 0)],
        [((1, 5000), 0), ((0, 1), 0)],  # unequal, not on the grid, in the other order
        [((0, 5000), 0), (None, 0)],  # a process without rows
    ],
)
def test_every_process_has_the_bytes_of_one(tmp_path, shards):
    expected = summarize_pair(*pair()).to_bytes()
    assert gathered(tmp_path, shards) == [expected, expected]


@pytest.mark.parametrize(
    ("shards", "sentence"),
    [
        (
            [((0, 3000), 0), ((2500, 5000), 0)],
            "the state of rank 0 and the state of rank 1 both hold rows 2500 to 2999",
        ),
        ([((0, 2500), 0), ((2500, 5000), 1)], "the state of rank 0 and the state of rank 1 are of different data sets"),
        ([((0, 2000), 0), ((2500, 5000), 0)], "no process brought rows 2000 to 2499 of 5000"),
        ([(None, 0), (None, 0)], "got none"),
    ],
)
def test_what_does_not_fit_is_refused_in_every_process(tmp_path, shards, sentence):
    for content in gathered(tmp_path, shards):
        assert sentence in content.decode()


def test_without_a_group():
    with pytest.raises(InputValueError, match=r"call torch\.distributed\.init_process_group first"):
        gather_states(None)
    with pytest.raises(InputTypeError, match="state must be a PairState or None; got bytes"):
        gather_states(b"")

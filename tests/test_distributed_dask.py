"""States made by dask's workers have the bytes of one process, however the rows were cut and whoever died."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import row_files
from crossphase import InputTypeError, InputValueError, diagnose, summarize_pair
from crossphase.distributed import dask as on_dask
from crossphase.labels import label_encoder

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

N_SAMPLES = 5000


def pair(n_samples=N_SAMPLES):
    rng = np.random.default_rng(0)
    labels = np.array(["oak", "elm", "ash"])[rng.integers(3, size=n_samples)]
    return rng.standard_normal((n_samples, 6)).astype(np.float32), rng.standard_normal((n_samples, 4)), labels


@pytest.fixture(params=["synchronous", "threads"])
def scheduler(request):
    with dask.config.set(scheduler=request.param):
        yield


@pytest.mark.parametrize("chunks", [((5000,), (6,)), (700, 3), ((1, 4096, 903), (2, 3, 1)), (1024, 6)])
@pytest.mark.parametrize("rows_per_task", [None, 1, 1500, 4096])
def test_any_chunks_give_the_bytes_of_one_process(scheduler, chunks, rows_per_task):
    x, y, labels = pair()
    expected = summarize_pair(x, y, labels).to_bytes()
    lazy_x, lazy_y = da.from_array(x, chunks=chunks), da.from_array(y, chunks=(999, 2))
    state = on_dask.summarize_pair(lazy_x, lazy_y, labels, rows_per_task=rows_per_task)
    assert state.is_complete
    assert state.to_bytes() == expected


def test_labels_may_be_lazy_or_missing(scheduler):
    x, y, labels = pair()
    lazy = [da.from_array(values, chunks=1000) for values in (x, y, labels)]
    assert on_dask.summarize_pair(*lazy).to_bytes() == summarize_pair(x, y, labels).to_bytes()
    assert on_dask.summarize_pair(*lazy[:2]).to_bytes() == summarize_pair(x, y).to_bytes()
    encoder = label_encoder(labels)
    assert on_dask.summarize_pair(*lazy[:2], encoder).to_bytes() == summarize_pair(x, y, encoder).to_bytes()


def test_files_arrays_and_dask_arrays_side_by_side(scheduler, tmp_path):
    x, y, labels = pair()
    path = row_files.npz(tmp_path / "x", x)
    expected = summarize_pair(path, y, labels).to_bytes()
    for other in (y, da.from_array(y, chunks=777), np.asfortranarray(y)):
        assert on_dask.summarize_pair(path, other, labels, rows_per_task=2048).to_bytes() == expected


@pytest.mark.parametrize("dtype", row_files.DTYPES)
def test_dtypes_arrive_as_they_are(scheduler, dtype):
    x, y = row_files.matrix(3000, 5, dtype), row_files.matrix(3000, 2, "float64")
    state = on_dask.summarize_pair(da.from_array(x, chunks=1000), da.from_array(y.astype(">f8")), rows_per_task=1024)
    assert state.dataset.dtype_x == dtype
    assert state.to_bytes() == summarize_pair(x, y).to_bytes()


def test_chunks_are_made_once(scheduler):
    made = []

    def block(block_info=None):
        first, stop = block_info[None]["array-location"][0]
        made.append(first)
        return np.random.default_rng(first).standard_normal((stop - first, 3))

    x = da.map_blocks(block, chunks=((1024,) * 4, (3,)), dtype=float, meta=np.empty((0, 0)))
    on_dask.summarize_pair(x, np.ones((4096, 1)) * np.arange(4096)[:, None], rows_per_task=1024)
    assert sorted(made) == [0, 1024, 2048, 3072]


def test_bad_input_gets_a_sentence(scheduler):
    x, y, _ = pair()
    lazy = da.from_array(x, chunks=1000)
    with pytest.raises(InputValueError, match=r"X has chunks of unknown size; call X\.compute_chunk_sizes"):
        on_dask.summarize_pair(lazy[lazy[:, 0] > 0], y)
    with pytest.raises(InputTypeError, match="X must be float16, bfloat16, float32 or float64; got int64"):
        on_dask.summarize_pair(lazy.astype(int), y)
    with pytest.raises(InputValueError, match=r"Y must have shape \(n_samples, n_features\)"):
        on_dask.summarize_pair(lazy, da.from_array(y[:, 0]))
    with pytest.raises(InputValueError, match=r"the same number of rows.*got 5000 and 4999"):
        on_dask.summarize_pair(lazy, y[1:])
    x[4321, 2] = np.nan
    with pytest.raises(InputValueError, match="X must be finite; got nan at row 4321, column 2"):
        on_dask.summarize_pair(da.from_array(x, chunks=1000), y, rows_per_task=1024)


def test_rows_of_files_are_matched_by_name(scheduler, tmp_path):
    x, y, labels = pair()
    order = np.random.default_rng(1).permutation(N_SAMPLES)
    ids = (np.arange(N_SAMPLES), order)
    path_x, path_y = row_files.npy(tmp_path / "x", x), row_files.npy(tmp_path / "y", y[order])
    expected = summarize_pair(path_x, path_y, labels, ids=ids).to_bytes()
    assert on_dask.summarize_pair(path_x, path_y, labels, ids=ids, rows_per_task=1024).to_bytes() == expected
    with pytest.raises(InputValueError, match=r"Put their rows in one order first: match = crossphase\.match_rows"):
        on_dask.summarize_pair(path_x, da.from_array(y), labels, ids=ids)
    with pytest.raises(InputValueError, match="checkpoint is of a pass in one process"):
        on_dask.summarize_pair(path_x, path_y, labels, checkpoint=tmp_path / "state.safetensors")


def test_diagnose_takes_dask_arrays(scheduler):
    x, y, labels = pair()
    y[:, 0] += 2 * x[:, 0] + (labels == "oak")
    lazy = [da.from_array(values, chunks=(800, 3)) for values in (x, y)]
    assert diagnose(*lazy, labels).to_json() == diagnose(summarize_pair(x, y, labels)).to_json()


def test_what_is_a_dask_array():
    assert on_dask.is_dask_array(da.ones(3))
    assert not on_dask.is_dask_array(np.ones(3))


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as local:
        yield local


@pytest.fixture
def client(cluster):
    with cluster.get_client() as client:
        yield client


def test_workers_open_files_themselves(client, tmp_path, monkeypatch):
    x, y, labels = pair()
    path_x, path_y = row_files.npy(tmp_path / "x", x), row_files.safetensors(tmp_path / "y", y)
    expected = summarize_pair(path_x, path_y, labels).to_bytes()
    monkeypatch.chdir(tmp_path)  # a relative path means the same to workers started elsewhere
    state = on_dask.summarize_pair("x.npy", "y.safetensors", labels, client=client, rows_per_task=1024)
    assert state.to_bytes() == expected


def test_dask_arrays_on_workers(client):
    x, y, labels = pair()
    lazy = [da.from_array(values, chunks=(800, 3)) for values in (x, y)]
    expected = summarize_pair(x, y, labels).to_bytes()
    assert on_dask.summarize_pair(*lazy, labels, client=client, rows_per_task=1024).to_bytes() == expected
    assert on_dask.summarize_pair(*lazy, labels, rows_per_task=1024).to_bytes() == expected  # the current client


def slow(block, folder):
    """A chunk that leaves a note of having been begun, and takes a while."""
    (folder / f"{time.monotonic_ns()}").touch()
    time.sleep(0.3)
    return block


def test_a_killed_worker_is_not_missed(client, tmp_path):
    x, y, labels = pair(20_000)
    expected = summarize_pair(x, y, labels).to_bytes()
    lazy_x = da.from_array(x, chunks=(1024, 6)).map_blocks(
        slow, tmp_path, dtype=x.dtype, meta=np.empty((0, 0), x.dtype)
    )
    processes = client.run(os.getpid)
    killed = []

    def kill():
        while len(list(tmp_path.iterdir())) < 6:  # some chunks are done, many are not
            time.sleep(0.02)
        os.kill(next(iter(processes.values())), signal.SIGKILL)
        killed.append(len(list(tmp_path.iterdir())))

    killer = threading.Thread(target=kill)
    killer.start()
    state = on_dask.summarize_pair(lazy_x, y, labels, client=client, rows_per_task=1024)
    killer.join()
    assert killed[0] < 20 < len(list(tmp_path.iterdir()))  # mid-run, and what the dead had done was done again
    assert client.run(os.getpid).values() != processes.values()
    assert state.to_bytes() == expected

"""Threads: their number, the pool after a fork, and objects that Python threads share."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np
import psutil
import pytest

from crossphase import CrossMoments, InputTypeError, InputValueError, component_r2, whitening_matrix
from crossphase._threads import ENVIRONMENT_VARIABLE, resolve_n_threads

# From Python 3.12 on, forking a process that has threads warns; that it works here is what is tested.
ignore_fork_warning = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def use_the_pool() -> bytes:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((8000, 6)), rng.standard_normal((8000, 3))
    moments = CrossMoments(6, 3, n_threads=2).update(X, Y)
    permutations = np.stack([rng.permutation(8000) for _ in range(80)])
    r2 = component_r2(X, Y[:, :1] + X[:, :1], np.arange(8000) % 5, permutations=permutations, n_threads=2)
    whiteners = whitening_matrix(np.stack([moments.cov_xx] * 4), n_threads=2).matrix
    return moments.cov_xy.tobytes() + r2.tobytes() + whiteners.tobytes()


def send_result(connection: Connection) -> None:
    connection.send_bytes(use_the_pool())
    connection.close()


def n_threads_alive() -> int:
    return psutil.Process().num_threads()


def send_new_threads(connection: Connection) -> None:
    before = n_threads_alive()
    CrossMoments(1, 1, n_threads=3).update(np.ones((8192, 1)), np.ones((8192, 1)))
    connection.send_bytes(bytes([n_threads_alive() - before]))
    connection.close()


def result_of_child(method: str, target: Callable[[Connection], None] = send_result) -> bytes:
    """The child's bytes; fails if it takes longer than 10 s after a fork (60 s for a fresh interpreter)."""
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=target, args=(sender,))
    child.start()
    sender.close()
    try:
        assert receiver.poll(10 if method == "fork" else 60), "the child hangs"
        received = receiver.recv_bytes()
        child.join(10)
        assert child.exitcode == 0
        return received
    finally:
        child.kill()
        child.join()
        child.close()
        receiver.close()


@ignore_fork_warning
def test_the_pool_lives_on_in_forked_children() -> None:
    expected = use_the_pool()
    for _ in range(20):
        assert result_of_child("fork") == expected
    assert use_the_pool() == expected


@ignore_fork_warning
def test_a_forked_child_has_workers_of_its_own() -> None:
    """Without them the calling thread would quietly do all the work."""
    use_the_pool()
    assert result_of_child("fork", send_new_threads) == bytes([2])


@ignore_fork_warning
def test_forking_while_the_pool_works() -> None:
    """Another thread keeps the pool's lock busy, so that some forks happen while it is held."""
    expected = use_the_pool()
    stop = threading.Event()

    def keep_busy() -> None:
        while not stop.is_set():
            use_the_pool()

    busy = threading.Thread(target=keep_busy)
    busy.start()
    try:
        assert [result_of_child("fork") for _ in range(5)] == [expected] * 5
    finally:
        stop.set()
        busy.join()


def test_a_spawned_child_finds_the_same_bytes() -> None:
    assert result_of_child("spawn") == use_the_pool()


def run_in_threads(n_threads: int, work: Callable[[int], None]) -> None:
    errors: list[BaseException] = []

    def guarded(index: int) -> None:
        try:
            work(index)
        except BaseException as error:  # handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_separate_objects_in_four_python_threads() -> None:
    expected = use_the_pool()
    results: dict[int, bytes] = {}

    def work(index: int) -> None:
        for _ in range(3):
            results[index] = use_the_pool()

    run_in_threads(4, work)
    assert results == dict.fromkeys(range(4), expected)


# In a process of its own: a deadlock that holds the GIL would freeze the test run instead of failing.
SHARED_UPDATES = """
import threading, numpy as np
from crossphase import CrossMoments
rng = np.random.default_rng(1)
X, Y = rng.integers(-8, 8, (4, 12000, 3)).astype(float), rng.integers(-8, 8, (4, 12000, 2)).astype(float)
shared = CrossMoments(3, 2, n_threads=2)
def work(index):
    for start in range(0, 12000, 3000):
        shared.update(X[index, start : start + 3000], Y[index, start : start + 3000])
        assert shared.cov_xx.shape == (3, 3)
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert shared.n_samples == 48000 and shared.row_ranges == [(0, 48000)]
# The order of the rows is chance; sums of 48000 whole numbers are not: only centring rounds.
expected = np.cov(X.reshape(-1, 3).T)
assert np.abs(shared.cov_xx - expected).max() <= 48000 * 2.0**-53 * np.diag(expected).max()
"""

COUNTER_BESIDE_WRITER = """
import threading, numpy as np
from crossphase import CrossMoments
rows = np.arange(300_000.0)[:, None]
shared, stop, seen = CrossMoments(1, 1, n_threads=1), threading.Event(), [0]
def count():
    while not stop.is_set():
        seen.append(shared.n_samples)
counter = threading.Thread(target=count)
counter.start()
for _ in range(5):
    shared.update(rows, rows)
stop.set()
counter.join()
assert seen == sorted(seen) and shared.n_samples == 1_500_000
"""

READER_BESIDE_WRITER = """
import threading, numpy as np
from crossphase import CrossMoments
rng = np.random.default_rng(2)
X, Y = rng.standard_normal((200_000, 12)), rng.standard_normal((200_000, 4))
shared = CrossMoments(12, 4, n_threads=1).update(X[:10], Y[:10])
stop = threading.Event()
def read():
    while not stop.is_set():
        shared.mean_x
reader = threading.Thread(target=read)
reader.start()
shared.update(X[10:], Y[10:])
stop.set()
reader.join()
assert shared.n_samples == 200_000
assert np.array_equal(shared.mean_x, CrossMoments(12, 4).update(X, Y).mean_x), "moments of fewer rows"
"""


@pytest.mark.parametrize(
    "script",
    [SHARED_UPDATES, COUNTER_BESIDE_WRITER, READER_BESIDE_WRITER],
    ids=["writers", "counter and writer", "reader and writer"],
)
def test_python_threads_share_one_object(run_python, script: str) -> None:
    process = run_python(script, time_limit=20)
    assert process.returncode == 0, process.stderr


def test_merging_both_ways_at_once_does_not_deadlock() -> None:
    rows = np.arange(4096.0)[:, None]
    states = [CrossMoments(1, 1, first_row=4096 * i).update(rows, rows) for i in range(2)]
    outcomes: list[str] = []

    def work(index: int) -> None:
        try:
            states[index].merge(states[1 - index])
            outcomes.append("merged")
        except InputValueError:
            outcomes.append("refused")  # the other direction came first: the rows are there already

    run_in_threads(2, work)
    assert "merged" in outcomes
    assert len(outcomes) == 2
    assert max(state.n_samples for state in states) == 8192


def test_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    assert resolve_n_threads(None) == len(os.sched_getaffinity(0))
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "3")
    assert resolve_n_threads(None) == 3
    assert resolve_n_threads(5) == 5
    assert resolve_n_threads(np.int64(2)) == 2


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_bad_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, text)
    with pytest.raises(InputValueError, match=f"{ENVIRONMENT_VARIABLE} must be an integer from 1 to 256; got '{text}'"):
        resolve_n_threads(None)


@pytest.mark.parametrize(
    ("value", "error"), [(0, InputValueError), (-2, InputValueError), (1.0, InputTypeError), (True, InputTypeError)]
)
def test_a_bad_argument_is_named(value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="n_threads must be"):
        resolve_n_threads(value)


def test_blas_limit_does_not_survive_a_fork(run_python) -> None:
    """A child forked while another thread holds the limit has its BLAS threads back, and can take the limit itself."""
    script = """
import os, threading, warnings
import numpy as np
from threadpoolctl import threadpool_info
from crossphase._threads import single_threaded_blas
warnings.simplefilter("ignore", DeprecationWarning)
def counts():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
np.ones((4, 4)) @ np.ones((4, 4))
with single_threaded_blas():
    pass
before, inside, done = counts(), threading.Event(), threading.Event()
def hold():
    with single_threaded_blas():
        inside.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    free = counts() == before
    with single_threaded_blas():
        limited = set(counts()) == {1}
    os._exit(0 if free and limited and counts() == before else 1)
status = os.waitpid(child, 0)[1]
done.set()
thread.join()
assert status == 0 and counts() == before
"""
    process = run_python(script, time_limit=60)
    assert process.returncode == 0, process.stderr

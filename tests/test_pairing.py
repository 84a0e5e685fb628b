"""The pairing audit: what it must find, where, and what it must leave in peace."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import crossphase
from crossphase import InputTypeError, InputValueError, SpikedModel, audit_pairing
from crossphase.demo_data import load_demo
from crossphase.pairing.duplicates import find_duplicates
from crossphase.samples import as_samples

MODEL = SpikedModel((3, 2, 1.5), 0.5, 0.5, 1.0, 5.0, eta=2.0, n_features_x=20, n_features_y=15, rng=0)


def spiked_pair(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    X, Y, _ = MODEL.sample(n, rng=seed)
    return X, Y


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return load_demo()


# What is intact ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["as shipped", "sorted by digit", "random"])
def test_real_pairs_are_intact(digits, order):
    X, Y, labels = digits
    rows = {
        "as shipped": np.arange(len(X)),
        "sorted by digit": np.argsort(labels, kind="stable"),
        "random": np.random.default_rng(3).permutation(len(X)),
    }[order]
    found = audit_pairing(X[rows], Y[rows])
    assert found.is_intact
    assert found.p_value == 2 / 200  # the least that 199 shuffles can show, twice for the two tests
    assert found.held_out_z > 20
    assert found.suspicious_rows == ()
    assert found.misplaced_low == 0 < found.misplaced_high < 0.1


def clean_pairs(kind: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Views that are paired in every row, in ways that could be taken for damage."""
    rng = np.random.default_rng([seed, n])
    shared = rng.standard_normal((n, 6))
    maps = rng.standard_normal((2, 6, 15))
    noise = rng.standard_normal((2, n, 15))
    if kind == "heavy tails":
        shared, noise = rng.standard_t(3, size=shared.shape), rng.standard_t(3, size=noise.shape)
    if kind == "neighbours alike":
        for i in range(1, n):
            shared[i] = 0.95 * shared[i - 1] + 0.3 * shared[i]
    if kind == "sorted by class":  # classes differ in their means and in how much their rows agree
        classes = np.sort(rng.integers(0, 8, n))
        shared = rng.standard_normal((8, 6))[classes] + shared * rng.uniform(0.2, 1, size=(8, 1))[classes]
    if kind == "only classes in common":
        shared = 2 * rng.standard_normal((8, 6))[np.sort(rng.integers(0, 8, n))]
    X, Y = shared @ maps[0] + noise[0], shared @ maps[1] + noise[1]
    if kind == "noisy rows":
        is_noisy = rng.random(n) < 0.2
        Y[is_noisy] = Y.std() * rng.standard_normal((int(is_noisy.sum()), 15))
    return X, Y


@pytest.mark.parametrize(
    "kind",
    ["plain", "heavy tails", "neighbours alike", "sorted by class", "only classes in common", "noisy rows"],
)
@pytest.mark.parametrize("n", [200, 2000])
def test_clean_pairs_raise_no_alarm(kind, n):
    for seed in range(5):
        found = audit_pairing(*clean_pairs(kind, n, seed), rng=seed)
        assert found.is_intact, (seed, str(found))


def test_few_rows_and_many_columns():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((40, 2))
    X = np.hstack([shared @ rng.standard_normal((2, 60)), np.ones((40, 3))]) + 0.5 * rng.standard_normal((40, 63))
    Y = shared @ rng.standard_normal((2, 30)) + 0.5 * rng.standard_normal((40, 30))
    assert audit_pairing(X, Y).verdict == "paired"
    assert audit_pairing(X, Y[rng.permutation(40)]).verdict == "unpaired"
    assert audit_pairing(X[:10], Y[:10]).n_samples == 10


def test_views_wider_than_the_sketch_limit():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((300, 3))
    X = shared @ rng.standard_normal((3, 1500)) + rng.standard_normal((300, 1500))
    Y = shared @ rng.standard_normal((3, 10)) + rng.standard_normal((300, 10))
    assert audit_pairing(X, Y).verdict == "paired"
    assert audit_pairing(X, Y[::-1]).verdict == "unpaired"


def test_very_wide_views_are_read_in_fewer_blocks():
    """8 blocks of 64 rows of 40 000 columns are 2e7 values, above the 2^24 that more blocks may not exceed."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((600, 2))
    X = (shared @ rng.standard_normal((2, 40_000)) + rng.standard_normal((600, 40_000))).astype("f4")
    Y = shared + rng.standard_normal((600, 2))
    found = audit_pairing(X, Y)
    assert (found.n_examined, found.verdict) == (512, "paired")


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_views_that_are_nearly_the_same_or_hold_few_values(dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (400, 4)).astype(dtype)
    assert audit_pairing(X, X.copy()).verdict == "paired"
    assert audit_pairing(X[:, :1], X[:, :1] * 2).verdict == "paired"
    assert audit_pairing(X, X[::-1].copy()).verdict == "unpaired"


# What is destroyed ---------------------------------------------------------------------------------------------------


def test_a_destroyed_pairing_is_found(digits):
    X, Y, _ = digits
    found = audit_pairing(X, Y[np.random.default_rng(0).permutation(len(Y))])
    assert found.verdict == "unpaired"
    assert not found.is_intact
    assert found.p_value > 0.01
    assert (found.misplaced_low, found.misplaced_high) == (0.0, 1.0)
    assert "no more than with their rows shuffled" in str(found)


def test_shuffles_pass_for_pairs_no_more_often_than_the_level():
    """Of 300 shuffled pairs at most 1 % pass in the mean; more than 9 do with probability 1e-3 (binomial)."""
    X, Y = spiked_pair(300)
    rng = np.random.default_rng(7)
    n_passed = sum(audit_pairing(X, Y[rng.permutation(300)], rng=i).verdict != "unpaired" for i in range(300))
    assert n_passed <= 9


@pytest.mark.parametrize("shift", [-3, 1, 5])
def test_a_shift_of_all_rows_is_named(shift):
    X, Y = spiked_pair(3000)
    found = audit_pairing(X, np.roll(Y, shift, axis=0))
    assert (found.verdict, found.shift) == ("shifted", shift)
    first, second = ("Y", "X") if shift > 0 else ("X", "Y")
    assert f"If {first} has" in found.reason
    assert found.reason.endswith(f"the last of {second}.")


def test_a_shift_of_rows_that_resemble_their_neighbours_is_named():
    X, Y = clean_pairs("neighbours alike", 3000, 0)
    found = audit_pairing(X, np.roll(Y, 2, axis=0))
    assert (found.verdict, found.shift) == ("shifted", 2)


def test_shifts_beyond_those_asked_for_are_not_named():
    X, Y = spiked_pair(3000)
    assert audit_pairing(X, np.roll(Y, 4, axis=0), max_shift=3).verdict == "unpaired"
    assert audit_pairing(X, np.roll(Y, 4, axis=0), max_shift=4).shift == 4


def test_a_tail_that_lost_a_row_is_found(digits):
    X, Y, _ = digits
    Y = np.vstack([Y[:1400], Y[1401:], Y[:1]])
    found = audit_pairing(X, Y)
    assert found.verdict == "partly_paired"
    assert {stretch.shift for stretch in found.suspicious_rows} == {-1}
    (stretch,) = found.suspicious_rows
    # Blocks are 64 rows; the one that holds row 1400 may go either way.
    assert abs(stretch.start - 1400) <= 64
    assert stretch.stop > 1930
    assert stretch.agreement < 0.5
    assert found.misplaced_low == pytest.approx(0.3, abs=0.04)
    assert f"rows {stretch.start} to {stretch.stop - 1}: row i of X agrees with row i − 1 of Y" in str(found)


@pytest.mark.parametrize(("start", "stop"), [(1600, 2000), (0, 300), (800, 1000)])
def test_a_stretch_sorted_differently_is_found(digits, start, stop):
    X, Y, _ = digits
    order = np.arange(len(Y))
    order[start:stop] = np.random.default_rng(0).permutation(order[start:stop])
    found = audit_pairing(X, Y[order])
    assert found.verdict == "partly_paired"
    (stretch,) = found.suspicious_rows
    assert stretch.shift == 0
    assert abs(stretch.start - start) <= 64
    assert abs(stretch.stop - stop) <= 70  # rows left over at the end are in no block
    assert stretch.agreement < 0.5
    assert found.misplaced_low == pytest.approx((stop - start) / 2000, abs=0.05)


def test_a_shuffled_twentieth_of_many_rows_is_found():
    X, Y = spiked_pair(50_000)
    order = np.arange(50_000)
    order[20_000:22_500] = np.random.default_rng(0).permutation(order[20_000:22_500])
    found = audit_pairing(X.astype("f4"), Y[order].astype("f4"))
    assert found.verdict == "partly_paired"
    assert found.n_examined == 4096
    assert all(19_000 <= s.start < s.stop <= 23_500 for s in found.suspicious_rows)


def test_windows_of_shuffled_rows_are_found():
    X, Y = spiked_pair(4000)
    rng = np.random.default_rng(0)
    order = np.concatenate([rng.permutation(np.arange(a, a + 4)) for a in range(0, 4000, 4)])
    found = audit_pairing(X, Y[order])
    assert found.verdict == "partly_paired"
    assert "windows of rows were shuffled" in found.reason
    assert found.misplaced_low > 0.5  # three rows of four are displaced


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_share_of_scattered_misplaced_rows_is_bounded(digits, share):
    X, Y, _ = digits
    rng = np.random.default_rng(0)
    order, moved = np.arange(2000), rng.choice(2000, int(2000 * share), replace=False)
    order[moved] = np.roll(order[moved], 1)
    found = audit_pairing(X, Y[order])
    assert found.misplaced_low <= share <= found.misplaced_high
    assert found.misplaced_high < share + 0.2
    if share == 0.5:
        assert "too weak" in found.reason


def test_scattered_misplaced_rows_are_found_where_partners_can_be_told():
    """Twenty shared directions of correlation .95 tell 23 nats about a partner; a thousand rows hide 7."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((2000, 20))
    X, Y = (shared + 0.23 * rng.standard_normal((2000, 20)) for _ in range(2))
    assert audit_pairing(X, Y).is_intact
    order, moved = np.arange(2000), rng.choice(2000, 200, replace=False)
    order[moved] = np.roll(order[moved], 1)
    found = audit_pairing(X, Y[order])
    assert found.verdict == "partly_paired"
    assert 0.02 < found.misplaced_low <= 0.1 <= found.misplaced_high
    assert "some rows were permuted" in found.reason


# Duplicates, ids, groups ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("n_columns", [1, 3, 8, 13])
def test_duplicates_are_counted_and_named(dtype, n_columns):
    rng = np.random.default_rng(0)
    cast = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    n = 100
    # Small whole numbers in float64 have 40 zero bits at the end, which a careless hash would lose; all rows differ.
    X = np.zeros((n, n_columns))
    X[:, 0] = np.arange(n)
    X = X.astype(cast)
    Y = rng.permutation(X)
    X[n - 1], X[n - 2], Y[n - 1] = X[3], X[3], Y[5]
    found = find_duplicates(as_samples(X, "X"), as_samples(Y, "Y"), None)
    assert (found.n_x, found.n_y, found.n_both) == (2, 1, 0)
    assert found.first_x == ((n - 2, 3), (n - 1, 3))
    assert found.first_y == ((n - 1, 5),)
    assert found.n_across_groups == 2
    assert found.n_groups == n - 3  # rows 3, 5, n - 2 and n - 1 belong together
    assert len(set(found.groups[[3, 5, n - 2, n - 1]])) == 1
    assert len(np.unique(found.groups)) == found.n_groups


def test_hash_collisions_are_no_duplicates(monkeypatch):
    monkeypatch.setattr("crossphase.pairing.duplicates._hashes", lambda view: np.zeros(view.n_samples, np.uint64))
    X = np.arange(20.0).reshape(10, 2)
    X[7] = X[0]
    found = find_duplicates(as_samples(X, "X"), as_samples(X[::-1].copy(), "Y"), None)
    assert (found.n_x, found.first_x) == (1, ((7, 0),))


def test_repeated_pairs_are_told_with_the_remedy(digits, tmp_path):
    X, Y, _ = digits
    X, Y = np.vstack([X, X[:30]]), np.vstack([Y, Y[:30]])
    np.save(tmp_path / "x.npy", X)
    found = audit_pairing(tmp_path / "x.npy", Y)
    assert found.duplicates.n_both >= 30
    ((code, sentence),) = found.warnings
    assert code == "duplicate_rows"
    assert "in both views" in sentence
    assert "groups=" in sentence
    # With the groups it proposes there is nothing left to warn about.
    assert audit_pairing(X, Y, groups=found.duplicates.groups).warnings == ()
    assert audit_pairing(X, Y, groups=[f"row {i}" for i in range(2030)]).warnings == found.warnings


def test_ids_must_agree_row_by_row():
    X, Y = spiked_pair(100)
    ids = [f"s{i}" for i in range(100)]
    assert audit_pairing(X, Y, ids_x=ids, ids_y=np.array(ids)).n_samples == 100
    others = [*ids[:40], *ids[:39:-1]]
    with pytest.raises(InputValueError, match=r"row 40 is s40 in X and s99 in Y \(60 of 100 rows differ\).*match_rows"):
        audit_pairing(X, Y, ids_x=ids, ids_y=others)
    with pytest.raises(InputValueError, match="ids_x and ids_y belong together"):
        audit_pairing(X, Y, ids_x=ids)
    with pytest.raises(InputValueError, match="ids_y must have one id for each of the 100 rows; got 99"):
        audit_pairing(X, Y, ids_x=ids, ids_y=ids[:-1])


# Input and output ----------------------------------------------------------------------------------------------------


def test_types_layouts_and_units_do_not_matter():
    X, Y = spiked_pair(500)
    expected = audit_pairing(X.astype("f4"), Y)
    strided = np.zeros((1000, 40), "f4")
    strided[::2, ::2] = X
    for same in (strided[::2, ::2], np.asfortranarray(X.astype("f4"))):
        assert audit_pairing(same, Y).to_dict() == expected.to_dict()
    scaled = audit_pairing(X * np.geomspace(1e-150, 1e150, 20), Y)
    assert scaled.verdict == "paired"
    assert scaled.held_out_z == pytest.approx(audit_pairing(X, Y).held_out_z, rel=1e-6)


def test_results_are_reproducible_and_leave_the_input_alone():
    X, Y = spiked_pair(400)
    before = X.copy(), Y.copy()
    first, second = audit_pairing(X, Y, rng=5), audit_pairing(X, Y, rng=5)
    assert first.to_json() == second.to_json()
    assert np.array_equal(X, before[0])
    assert np.array_equal(Y, before[1])


def test_plain_objects_and_text():
    X, Y = spiked_pair(2000)
    order = np.arange(2000)
    order[1500:] = order[:1499:-1]
    found = audit_pairing(X, Y[order])
    document = json.loads(found.to_json())
    assert document == found.to_dict()
    assert document["verdict"] == "partly_paired"
    assert document["suspicious_rows"][0]["start"] == found.suspicious_rows[0].start
    assert "groups" not in document["duplicates"]
    assert repr(found) == "<PairingAudit partly_paired: p=0.01, 2000 samples>"
    assert str(found).startswith("Pairing: partly paired\n")
    assert all(len(line) <= 80 for line in str(found).splitlines())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"Y": np.ones((49, 3))}, InputValueError, "same number of rows"),
        ({"X": np.full((50, 3), np.nan)}, InputValueError, "X must be finite.*row 0, column 0"),
        ({"X": np.ones((50, 3))}, InputValueError, "X is constant: none of its 3 columns varies"),
        ({"X": np.ones((9, 1)), "Y": np.ones((9, 1))}, InputValueError, "at least 10 rows; got 9"),
        ({"X": np.ones((50, 3), int)}, InputTypeError, "X must be float16"),
        ({"n_permutations": 198}, InputValueError, "n_permutations must be at least 199"),
        ({"max_shift": 17}, InputValueError, "max_shift must be at most 16"),
        ({"max_shift": -1}, InputValueError, "max_shift must be at least 0"),
        ({"rng": "seed"}, InputTypeError, "rng must be"),
        ({"groups": np.zeros(50)}, InputTypeError, "groups must be strings or integers; got float64"),
        ({"groups": [1, 2]}, InputValueError, "groups must have one id for each of the 50 rows; got 2"),
    ],
)
def test_bad_input_gets_a_sentence(change, error, message):
    rng = np.random.default_rng(0)
    good = {"X": rng.standard_normal((50, 3)), "Y": rng.standard_normal((50, 3))}
    with pytest.raises(error, match=message):
        audit_pairing(**{**good, **change})


def test_no_files_are_taken_for_others(tmp_path):
    with pytest.raises(FileNotFoundError, match="X: no such file"):
        audit_pairing(Path(tmp_path / "none.npy"), np.ones((10, 1)))


def test_docstring_example():
    outcome = doctest.testmod(crossphase.pairing.audit)
    assert outcome.attempted > 0
    assert outcome.failed == 0

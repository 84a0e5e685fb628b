"""What one pass keeps: mergeable, the same bytes however it came about, and refused where it does not belong."""

from __future__ import annotations

import hashlib
import itertools
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import problems
from crossphase import (
    CrossMoments,
    InputTypeError,
    InputValueError,
    PairState,
    safetensors_file,
    summarize,
    summarize_pair,
)
from crossphase.pair_state import merge_states

N = 6000
CAPACITY = 150  # of the samples here, so that rows are left out


@pytest.fixture(autouse=True)
def _small_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summarize, "sample_capacity", lambda _: CAPACITY)


def pair(n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str | None]]:
    rng = problems.generator(seed)
    labels = [None if i % 11 == 3 else "abc"[i % 3] for i in range(n)]
    return rng.standard_normal((n, 4)).astype(np.float32), rng.standard_normal((n, 3)), labels


@pytest.fixture(scope="module")
def whole() -> PairState:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summarize, "sample_capacity", lambda _: CAPACITY)
        return summarize_pair(*pair())


def part(first: int, stop: int) -> PairState:
    return summarize_pair(*pair(), rows=(first, stop))


@settings(max_examples=150)
@given(plan=problems.shard_plans(), precision=st.sampled_from(["auto", "f64", "f32", "bf16x6", "bf16x3", "bf16"]))
def test_bytes_do_not_depend_on_shards_threads_or_merge_order(plan: problems.ShardPlan, precision: str) -> None:
    n = max(plan.n, 60)
    data = pair(n)
    cuts = sorted({*plan.cuts[:-1], n})
    states = [
        summarize_pair(*data, rows=(first, stop), n_threads=1 + stop % 3, precision=precision)
        for first, stop in itertools.pairwise(cuts)
    ]
    expected = summarize_pair(*data, precision=precision).to_bytes()
    assert states[0].merge(*states[1:]).to_bytes() == expected
    for into, other in plan.merges:
        if max(into, other) < len(states):
            states[into] = PairState.from_bytes(states[into].merge(states[other]).to_bytes())
            del states[other]
    merged, *rest = states
    assert merged.merge(*rest).to_bytes() == expected


def test_moments_and_sample_are_those_of_the_rows(whole: PairState) -> None:
    X, Y, labels = pair()
    assert (whole.n_samples, whole.row_ranges, whole.missing_ranges) == (N, [(0, N)], [])
    assert whole.is_complete
    assert whole.has_unlabelled
    is_labelled = np.array([label is not None for label in labels])
    columns = np.array([[label == name for name in "abc"] for label in labels], dtype=float)
    direct = CrossMoments(4, 3, 4).update(X, Y, np.column_stack([columns, is_labelled]))
    assert whole.moments.to_bytes() == direct.to_bytes()
    assert whole.sample.n_rows == CAPACITY
    rows = whole.sample.positions
    assert np.array_equal(whole.sample.X, X[rows])
    assert whole.sample.X.dtype == np.float32
    assert np.array_equal(whole.sample.Y, Y[rows])
    assert np.array_equal(whole.sample.labels, columns[rows])
    assert np.array_equal(whole.sample.is_labelled, is_labelled[rows])
    assert whole.label_encoding is not None
    assert whole.label_encoding.column_names == ("label=a", "label=b", "label=c")
    dataset = whole.dataset
    assert (dataset.n_samples, dataset.n_labelled) == (N, is_labelled.sum())
    assert (dataset.dtype_x, dataset.dtype_y, dataset.n_features_x, dataset.n_features_y) == (
        "float32",
        "float64",
        4,
        3,
    )
    assert repr(whole) == "PairState(6000 of 6000 rows, 4 + 3 features, 3 label columns)"


def test_whether_rows_lack_labels_is_a_matter_of_all_rows() -> None:
    """Parts without an unlabelled row have the column that says so too, or they would not merge."""
    X, Y, _ = pair(40)
    labels = [None, *("ab" * 20)[1:]]
    late = summarize_pair(X, Y, labels, rows=(20, 40))
    assert late.moments.n_labels == 3
    assert late.sample.is_labelled.all()
    known = summarize_pair(X, Y, list("ab" * 20))
    assert (known.has_unlabelled, known.moments.n_labels) == (False, 2)


def test_without_labels() -> None:
    X, Y, _ = pair(40)
    state = summarize_pair(X, Y)
    assert state.label_encoding is None
    assert (state.has_unlabelled, state.n_label_columns, state.moments.n_labels) == (False, 0, 0)
    assert state.dataset.fingerprint_labels is None
    assert state.sample.labels.shape == (40, 0)
    assert PairState.from_bytes(state.to_bytes()).digest() == state.digest()


def test_a_file_and_a_pickle_give_the_state_back(tmp_path: Path, whole: PairState) -> None:
    whole.save(tmp_path / "s.safetensors")
    data = (tmp_path / "s.safetensors").read_bytes()
    assert data == whole.to_bytes()
    assert hashlib.sha256(data).hexdigest() == whole.digest()
    for restored in (PairState.load(tmp_path / "s.safetensors", n_threads=1), pickle.loads(pickle.dumps(whole))):
        assert restored.to_bytes() == data
        assert restored.dataset == whole.dataset
        assert restored.label_encoding == whole.label_encoding


def test_gaps_are_told() -> None:
    middle = part(1000, 2500)
    assert middle.missing_ranges == [(0, 1000), (2500, N)]
    assert not middle.is_complete
    with_gap = middle.merge(part(4000, N))
    assert with_gap.row_ranges == [(1000, 2500), (4000, N)]
    assert with_gap.missing_ranges == [(0, 1000), (2500, 4000)]
    assert with_gap.n_samples == 3500
    assert with_gap.merge(part(2500, 4000), part(0, 1000)).is_complete
    assert PairState.from_bytes(with_gap.to_bytes()).missing_ranges == with_gap.missing_ranges


def test_a_merge_leaves_its_parts_alone() -> None:
    early, late = part(0, 1500), part(1500, N)
    before = early.to_bytes(), late.to_bytes()
    early.merge(late)
    assert (early.to_bytes(), late.to_bytes()) == before


def test_one_row_in_two_states_is_refused_by_name() -> None:
    early, late = part(0, 1500), part(1400, N)
    sentence = r"a\.safetensors and b\.safetensors both hold rows 1400 to 1499 \(of 0 to 1499 and of 1400 to 5999\)"
    with pytest.raises(InputValueError, match=sentence):
        merge_states([("a.safetensors", early), ("b.safetensors", late)])
    with pytest.raises(InputValueError, match="this state and state 2 both hold rows 0 to 1499"):
        early.merge(part(2000, 3000), early)


X, Y, LABELS = pair()
OTHER = problems.generator(9).standard_normal((N, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ((OTHER, Y, LABELS), "X differs in its content"),
        ((X, Y + 1, LABELS), "Y differs in its content"),
        ((X.astype(np.float64), Y, LABELS), r"X differs in its dtype \(float32 and float64\)"),
        ((X, Y[:, :2], LABELS), r"Y differs in its columns \(3 and 2\)"),
        ((X[1:], Y[1:], LABELS[1:]), r"X and Y differ in their rows \(6000 and 5999\)"),
        ((X, Y, None), "only one has labels"),
        ((X, Y, LABELS[::-1]), "the labels differ"),
        ((X, Y, [label or "d" for label in LABELS]), "the labels differ"),
    ],
)
def test_states_of_other_data_are_refused(data: tuple[object, ...], sentence: str) -> None:
    first = part(0, 1000)
    before = first.to_bytes()
    with pytest.raises(InputValueError, match=f"cannot merge: one and other are of different data sets.*{sentence}"):
        merge_states([("one", first), ("other", summarize_pair(*data, rows=(500, None)))])
    assert first.to_bytes() == before


def test_another_precision_is_refused() -> None:
    early, late = part(0, 1500), summarize_pair(X, Y, LABELS, rows=(1500, N), precision="f32")
    assert (early.precision, late.precision, PairState.from_bytes(late.to_bytes()).precision) == ("f64", "f32", "f32")
    with pytest.raises(InputValueError, match=r"this state has precision f64, state 1 f32\. Make both with"):
        early.merge(late)


def test_merges_of_other_things_are_refused(whole: PairState) -> None:
    with pytest.raises(InputTypeError, match="state 1 must be a PairState; got CrossMoments"):
        part(0, 10).merge(CrossMoments(4, 3))  # type: ignore[arg-type]
    with pytest.raises(InputValueError, match="at least one; got none"):
        merge_states([])


# Files that say what cannot be --------------------------------------------------------------------------------------


def changed(state: PairState, change) -> bytes:
    """The state's file, with other content and a seal that fits it."""
    content = safetensors_file.from_bytes(state.to_bytes(), "it")
    metadata = {name: value for name, value in content.metadata.items() if name != "sha256"}
    description = json.loads(metadata["content"])
    change(description, content.tensors)
    return safetensors_file.to_bytes(content.tensors, metadata | {"content": json.dumps(description)})


def shift(arrays: dict[str, np.ndarray], by: int) -> None:
    arrays["sample.positions"] += by


CHANGES = {
    "no data set": (lambda desc, arrays: desc.pop("dataset"), "'dataset'"),
    "unknown field": (lambda desc, arrays: desc["dataset"].update(colour=1), "colour"),
    "other columns": (lambda desc, arrays: desc["dataset"].update(n_features_x=5), "do not have the columns"),
    "no unlabelled rows": (lambda desc, arrays: desc["dataset"].update(n_labelled=N), "do not have the columns"),
    "fewer rows": (lambda desc, arrays: desc["dataset"].update(n_samples=N - 1), "not those of its data set"),
    "text for a count": (lambda desc, arrays: desc["dataset"].update(n_samples="many"), "does not hold"),
    "other dtype": (lambda desc, arrays: desc["dataset"].update(dtype_x="bfloat16"), r"sample\.X has .* float32, not"),
    "no dtype": (lambda desc, arrays: desc["dataset"].update(dtype_x="colour"), "does not hold"),
    "no labels": (lambda desc, arrays: desc.update(label_encoding=None), "do not have the columns"),
    "other labels": (lambda desc, arrays: desc["label_encoding"]["column_names"].pop(), "not a label encoding"),
    "other capacity": (lambda desc, arrays: desc.update(sample_capacity=151), r"sample\.positions has shape \(150,\)"),
    "no capacity": (lambda desc, arrays: desc.update(sample_capacity=0), "sample_capacity must be at least 1"),
    "lost rows": (lambda desc, arrays: arrays.pop("sample.Y"), r"'sample\.Y'"),
    "narrow rows": (lambda desc, arrays: arrays.update({"sample.Y": np.ones((150, 2))}), r"sample\.Y has shape"),
    "rows before": (lambda desc, arrays: shift(arrays, -N), "not among its rows"),
    "rows behind": (lambda desc, arrays: shift(arrays, N), "not among its rows"),
    "disorder": (lambda desc, arrays: arrays["sample.positions"].__imul__(-1), "not among its rows"),
    "endless rows": (
        lambda desc, arrays: arrays.update({"sample.Y": np.full((150, 3), np.nan)}),
        r"sample\.Y has values that are not finite",
    ),
    "number for a fingerprint": (
        lambda desc, arrays: desc["dataset"].update(fingerprint_x=1),
        "fingerprint_x is 1, not",
    ),
    "another next row": (
        lambda desc, arrays: desc["moments"]["leading"].__setitem__(1, 7000),
        "not those of its data set",
    ),
    "another arithmetic": (lambda desc, arrays: desc["moments"].update(precision="f32"), "begins with .* instead of"),
    "a tree without its place": (lambda desc, arrays: desc["moments"]["trees"].__setitem__(0, []), "does not hold"),
    "no moments": (lambda desc, arrays: desc.pop("moments"), "'moments'"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_no_pass_could_have_left_is_refused(whole: PairState, change: str) -> None:
    how, sentence = CHANGES[change]
    with pytest.raises(InputValueError, match=sentence):
        PairState.from_bytes(changed(whole, how))


STRANGE = [None, True, -1, 0, 2**62, 2**70, 1e308, float("nan"), "", "abc", [], [1], {}, {"a": 1}, [[[]]]]


def places(value: object, way: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The way to every value within nested objects and lists."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*way, key)
            yield from places(inner, (*way, key))


def test_strange_values_are_refused_or_kept_but_never_crash() -> None:
    state = part(100, 3400)
    metadata = safetensors_file.from_bytes(state.to_bytes(), "it").metadata
    refused = 0
    for *way, key in places(json.loads(metadata["content"])):
        for strange in STRANGE:

            def put(description: dict, _: object, way=way, key=key, strange=strange) -> None:
                for step in way:
                    description = description[step]
                description[key] = strange

            try:
                PairState.from_bytes(changed(state, put))
            except InputValueError:
                refused += 1
    assert refused > 500


def test_a_sample_of_rows_in_a_gap_is_refused() -> None:
    with_gap = part(0, 1000).merge(part(3000, N))

    def into_gap(_: object, arrays: dict[str, np.ndarray]) -> None:
        positions = arrays["sample.positions"]
        positions[np.searchsorted(positions, 1000) - 1] = 2000

    assert changed(with_gap, lambda *_: None) != changed(with_gap, into_gap)
    with pytest.raises(InputValueError, match="not among its rows"):
        PairState.from_bytes(changed(with_gap, into_gap))


def test_states_are_told_from_moments(tmp_path: Path, whole: PairState) -> None:
    CrossMoments(2, 1).save(tmp_path / "m.safetensors")
    with pytest.raises(
        InputValueError, match=r"m\.safetensors must hold a crossphase\.PairState; it holds crossphase\.Cross"
    ):
        PairState.load(tmp_path / "m.safetensors")


def test_a_flipped_bit_is_noticed(whole: PairState) -> None:
    data = bytearray(whole.to_bytes())
    rng = problems.generator(4)
    for place in rng.integers(0, 8 * len(data), 1000):
        data[place // 8] ^= 1 << place % 8
        with pytest.raises(InputValueError, match="data is"):
            PairState.from_bytes(data)
        data[place // 8] ^= 1 << place % 8
    assert PairState.from_bytes(data).to_bytes() == data

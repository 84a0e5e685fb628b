"""Labels as people have them, and the sentences for those that cannot be used."""

from __future__ import annotations

import datetime
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossphase import InputTypeError, InputValueError, LabelEncoding, encode_labels, label_encoder

ONE_HOT_AB = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]


def codes_of(encoded: Any) -> list[str]:
    return [code for code, _ in encoded.notes]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["oak", "pine", "oak", "pine"], ("label=oak", "label=pine")),
        (np.array(["oak", "pine", "oak", "pine"]), ("label=oak", "label=pine")),
        (np.array(["oak", "pine", "oak", "pine"], dtype=object), ("label=oak", "label=pine")),
        (np.array(["oak", "pine", "oak", "pine"], dtype=np.dtypes.StringDType()), ("label=oak", "label=pine")),
        ([b"oak", b"pine", b"oak", b"pine"], ("label=oak", "label=pine")),
        ([3, 7, 3, 7], ("label=3", "label=7")),
        (np.array([3, 7, 3, 7], dtype=np.uint8), ("label=3", "label=7")),
        (np.array([3, 7, 3, 7], dtype=object), ("label=3", "label=7")),
        ([False, True, False, True], ("label=False", "label=True")),
        ({"tree": ["oak", "pine", "oak", "pine"]}, ("tree=oak", "tree=pine")),
    ],
)
def test_classes_become_one_hot_columns(labels: Any, names: tuple[str, ...]) -> None:
    encoded = encode_labels(labels)
    assert encoded.values.tolist() == ONE_HOT_AB
    assert encoded.values.dtype == np.float64
    assert encoded.column_names == names
    assert (encoded.n_classes, encoded.n_samples, encoded.n_columns, encoded.notes) == (2, 4, 2, ())


@given(st.lists(st.integers(0, 5), min_size=12, max_size=60))
def test_one_hot_rows_name_their_class(labels: list[int]) -> None:
    encoded = encode_labels([*labels, 0, 1, 0, 1])
    names = [encoded.column_names[column] for column in encoded.values.argmax(axis=1)]
    assert names == [f"label={label}" for label in [*labels, 0, 1, 0, 1]]
    assert (encoded.values.sum(axis=1) == 1).all()


@pytest.mark.parametrize("scale", [1e-200, 1e-20, 1.0, 1e20, 1e200])
@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_measurements_have_mean_0_and_variance_1(
    rng: np.random.Generator, scale: float, offset: float, dtype: str
) -> None:
    values = rng.standard_normal(200)
    if dtype == "float64":
        values = (values + offset) * scale
    encoded = encode_labels(values.astype(dtype))
    assert (encoded.column_names, encoded.n_classes) == (("label",), 0)
    # Rounding of the stored values, in standard deviations: offset u; their mean and squares add 200 u.
    tolerance = (200 + 4 * offset) * 2.0**-52
    assert abs(encoded.values.mean()) <= tolerance
    assert abs((encoded.values**2).mean() - 1) <= 2 * tolerance
    assert np.corrcoef(encoded.values[:, 0], values / np.abs(values).max())[0, 1] == pytest.approx(1.0)


def test_integer_valued_floats_are_measurements_with_a_note() -> None:
    encoded = encode_labels(np.array([1.0, 2.0, 3.0] * 5))
    assert encoded.n_classes == 0
    ((code, sentence),) = encoded.notes
    assert code == "integer_valued_floats"
    assert "3 distinct whole numbers as floats" in sentence
    assert "pass integers" in sentence
    assert codes_of(encode_labels(np.array([0.0, 1.0] * 5))) == []  # two values: one-hot and measurement agree
    assert codes_of(encode_labels(np.array([1.0, 2.0, 3.5] * 5))) == []


def test_two_dimensional_arrays_have_a_variable_a_column() -> None:
    encoded = encode_labels(np.array([[1, 5], [2, 6], [1, 6], [2, 5]]))
    assert encoded.column_names == ("label_0=1", "label_0=2", "label_1=5", "label_1=6")
    measured = encode_labels(np.array([[0.5, 1.0], [1.5, -1.0], [0.1, 3.0]]))
    assert measured.column_names == ("label_0", "label_1")
    assert measured.n_classes == 0


@pytest.mark.parametrize("dtype", [bool, int, np.uint8])
def test_indicator_matrices_are_taken_as_they_are(dtype: type) -> None:
    indicator = np.eye(3)[np.arange(9) % 3].astype(dtype)
    encoded = encode_labels(indicator)
    assert encoded.column_names == ("label_0", "label_1", "label_2")
    assert encoded.n_classes == 0
    correlations = np.corrcoef(encoded.values.T, indicator.T.astype(float))[:3, 3:]
    assert np.diag(correlations) == pytest.approx(np.ones(3))


def test_mappings_mix_types_and_leave_constants_out() -> None:
    encoded = encode_labels(
        {"kind": ["a", "b", "a", "b"], "mass": [0.5, 1.0, 2.5, 3.0], "lab": ["x"] * 4, "t": [2.0] * 4}
    )
    assert encoded.column_names == ("kind=a", "kind=b", "mass")
    assert (encoded.values.shape, encoded.n_classes) == ((4, 3), 2)
    assert codes_of(encoded) == ["constant_label", "constant_label"]
    assert "lab is 'x' in every row and was left out" in encoded.notes[0][1]


def test_classes_of_a_single_row_are_noted() -> None:
    encoded = encode_labels(["a", "a", "a", "b", "b", "c"])
    ((code, sentence),) = encoded.notes
    assert code == "single_row_classes"
    assert "1 of 3 classes have a single row" in sentence


@pytest.mark.parametrize("constant", [0.1, 1e200, -3.0])
def test_rounding_is_no_contrast(constant: float) -> None:
    values = np.full(50, constant)
    values[::2] = np.nextafter(constant, np.inf)
    with pytest.raises(InputValueError, match="labels must tell rows apart"):
        encode_labels(values)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([], InputValueError, "labels are empty"),
        ({}, InputValueError, "labels are empty"),
        ({"a": []}, InputValueError, "labels are empty"),
        (3, InputValueError, r"labels must have shape .*got \(\)"),
        (np.zeros((2, 2, 2)), InputValueError, r"labels must have shape .*got \(2, 2, 2\)"),
        ([[1, 2], [3]], InputValueError, "one value a row; NumPy cannot make an array"),
        ({"a": [1, 2, 1], "b": [1, 2]}, InputValueError, r"one value a row in every variable; got lengths .*'b': 2"),
        ({"a": [[1, 2], [3, 4]]}, InputValueError, r"labels\['a'\] must be one-dimensional"),
        (["same"] * 9, InputValueError, "label is 'same' in all 9 rows .one class only.*at least two classes"),
        ([4] * 9, InputValueError, "label is '4' in all 9 rows"),
        ([0.5] * 9, InputValueError, "label is '0.5' in all 9 rows"),
        ([f"id{i}" for i in range(10)], InputValueError, "10 classes in 10 rows.*looks like an identifier.*group"),
        (list(range(6)), InputValueError, "6 classes in 6 rows.*as floats"),
        (["a", None, "b", "a", "b"], InputValueError, r"missing value \(None\) at row 1; drop those rows"),
        (["a", "b", float("nan"), "a", "b", "a", "b"], InputValueError, r"missing value \(nan\) at row 2"),
        (np.array(["a", "b", np.nan, "b"], dtype=object), InputValueError, r"missing value \(nan\) at row 2"),
        (np.array([1.0, np.nan, 2.0]), InputValueError, "labels must be finite; got nan at row 1 .1 such"),
        (np.array([1.0, 2.0, -np.inf]), InputValueError, "labels must be finite; got -inf at row 2"),
        (np.array([[1.0, 2.0], [np.nan, 1.0]]), InputValueError, "labels, column 0 must be finite.*row 1"),
        (["a", 1, "a", 1, "a", 1], InputTypeError, r"strings only, or numbers only; row 1 holds 1 \(int\)"),
        (
            np.array(["a", 1, "a"], dtype=object),
            InputTypeError,
            r"strings only, or numbers only; row 1 holds 1 \(int\)",
        ),
        (np.array([1 + 2j, 2 + 0j]), InputTypeError, "got complex128"),
        (np.array(["2020", "2021"], dtype="M8[Y]"), InputTypeError, r"got datetime64\[Y\]. Convert dates"),
        ([datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)], InputTypeError, r"row 0 holds .*\(date\)"),
        (np.ma.masked_array([1, 2, 1], [0, 1, 0]), InputTypeError, "masked array; its mask would be ignored"),
        (np.array([2**63, 1] * 3, dtype=object), InputTypeError, "labels must"),
    ],
)
def test_unusable_labels_are_explained(labels: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        encode_labels(labels)


def test_pandas_series_and_frames() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "object": pd.Series(["a", "b", "a", "b"], dtype=object),
            "string": pd.Series(["a", "b", "a", "b"], dtype="string"),
            "category": pd.Categorical(["a", "b", "a", "b"], categories=["b", "a", "unused"]),
            "nullable": pd.Series([1, 2, 1, 2], dtype="Int64"),
            "flag": pd.Series([True, False, True, False], dtype="boolean"),
            "mass": [0.5, 1.5, 0.25, 4.0],
        }
    )
    frame.index = [10, 20, 20, 40]
    encoded = encode_labels(frame)
    names = ("object=a", "object=b", "string=a", "string=b", "category=a", "category=b", "nullable=1", "nullable=2")
    assert encoded.column_names == (*names, "flag=False", "flag=True", "mass")
    assert encoded.values[:, :2].tolist() == encoded.values[:, 4:6].tolist() == ONE_HOT_AB
    for name in frame.columns:
        assert encode_labels(frame[name]).n_columns == encode_labels(frame[[name]]).n_columns


def test_pandas_missing_values_and_dates_are_refused() -> None:
    pd = pytest.importorskip("pandas")
    missing = [
        pd.Series(["a", None, "b", "a"], dtype=object),
        pd.Series(["a", None, "b", "a"], dtype="string"),
        pd.Series(pd.Categorical(["a", None, "b", "a"])),
        pd.Series([1, None, 2, 1], dtype="Int64"),
        pd.Series([0.5, None, 2.0, 1.0]),
        pd.Series([True, None, False, True], dtype="boolean"),
    ]
    for series in missing:
        for labels in (series, pd.DataFrame({"v": series})):
            with pytest.raises(InputValueError, match=r"labels.* at row 1.* rows from X, Y and labels"):
                encode_labels(labels)
    with pytest.raises(InputTypeError, match=r"got datetime64.*Convert dates"):
        encode_labels(pd.DataFrame({"when": pd.to_datetime(["2020-01-01", "2021-01-01"] * 2)}))


def test_polars_series_and_frames() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"tree": ["a", "b", "a", "b"], "n": [1, 2, 1, 2], "mass": [0.5, 1.5, 0.25, 4.0]})
    frame = frame.with_columns(level=pl.col("tree").cast(pl.Categorical), flag=pl.col("n") > 1)
    encoded = encode_labels(frame)
    names = ("tree=a", "tree=b", "n=1", "n=2", "mass", "level=a", "level=b", "flag=False", "flag=True")
    assert encoded.column_names == names
    assert encoded.values[:, :2].tolist() == ONE_HOT_AB
    assert encode_labels(frame["tree"]).column_names == ("label=a", "label=b")
    for values in (["a", None, "b"], [1, None, 2], [0.5, None, 1.0]):
        with pytest.raises(InputValueError, match="at row 1"):
            encode_labels(pl.DataFrame({"v": values}))
    with pytest.raises(InputTypeError, match=r"labels\['when'\].*got datetime64"):
        encode_labels(pl.DataFrame({"when": [datetime.date(2020, 1, 1)] * 4}))


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ({1: [0, 1], "1": [0, 1]}, InputValueError, "more than one variable named '1'"),
        (None, InputTypeError, "labels are needed"),
    ],
)
def test_labels_that_cannot_be_told_apart_or_are_none(labels: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        encode_labels(labels)


# Missing labels -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_classes_become_unlabelled_rows(missing: Any) -> None:
    known = ["oak", "pine", "elm"] * 8
    encoded = encode_labels([*known[:5], missing, *known[5:], missing], allow_missing=True)
    assert np.flatnonzero(~encoded.is_labelled).tolist() == [5, 25]
    assert (encoded.n_samples, encoded.n_labelled) == (26, 24)
    assert not encoded.values[[5, 25]].any()
    whole = encode_labels(known)
    assert np.array_equal(encoded.values[encoded.is_labelled], whole.values)
    assert encoded.column_names == whole.column_names
    assert codes_of(encoded) == ["unlabelled_rows"]
    assert "2 of 26 rows have no label; 24 do" in encoded.notes[0][1]


def test_missing_measurements_do_not_enter_the_scale(rng: np.random.Generator) -> None:
    values = rng.standard_normal(100)
    with_gaps = values.copy()
    with_gaps[::3] = np.nan
    encoded = encode_labels(with_gaps, allow_missing=True)
    assert np.array_equal(encoded.values[encoded.is_labelled], encode_labels(values[encoded.is_labelled]).values)
    assert not encoded.values[::3].any()


def test_of_several_variables_all_must_be_there() -> None:
    kind: list[Any] = ["a", "b"] * 12
    mass = np.linspace(0, 1, 24)
    kind[3], mass[7] = None, np.nan
    encoded = encode_labels({"kind": kind, "mass": mass}, allow_missing=True)
    assert np.flatnonzero(~encoded.is_labelled).tolist() == [3, 7]
    assert encoded.column_names == ("kind=a", "kind=b", "mass")


def test_without_gaps_allowing_them_changes_nothing() -> None:
    for labels in (["a", "b", "a", "b"], [0.5, 1.5, 2.5], {"x": [1, 2, 1, 2], "y": [0.1, 0.2, 0.3, 0.4]}):
        plain, allowed = encode_labels(labels), encode_labels(labels, allow_missing=True)
        assert np.array_equal(plain.values, allowed.values)
        assert plain.notes == allowed.notes
        assert plain.is_labelled.all()
        assert allowed.is_labelled.all()


def test_sentinels_are_classes_and_infinities_errors() -> None:
    assert encode_labels([-1, 0, 1] * 5, allow_missing=True).column_names == ("label=-1", "label=0", "label=1")
    values = np.linspace(0, 1, 20)
    values[3], values[12] = np.nan, np.inf
    with pytest.raises(InputValueError, match=r"finite; got inf at row 12 \(1 such values"):
        encode_labels(values, allow_missing=True)


def test_missing_values_of_data_frames() -> None:
    pd = pytest.importorskip("pandas")
    names = ["a", None, "b"] * 8
    for dtype in (object, "string", "category"):
        encoded = encode_labels(pd.Series(names, dtype=dtype), allow_missing=True)
        assert encoded.n_labelled == 16
        assert encoded.column_names == ("label=a", "label=b")
    whole = encode_labels(pd.DataFrame({"n": pd.Series([1, None, 2] * 8, dtype="Int64")}), allow_missing=True)
    assert whole.column_names == ("n=1", "n=2")
    flags = encode_labels(pd.Series([True, None, False] * 8, dtype="boolean"), allow_missing=True)
    assert flags.column_names == ("label=False", "label=True")
    pl = pytest.importorskip("polars")
    for values, columns in ((names, ("v=a", "v=b")), ([1, None, 2] * 8, ("v=1", "v=2"))):
        encoded = encode_labels(pl.DataFrame({"v": values}), allow_missing=True)
        assert (encoded.n_labelled, encoded.column_names) == (16, columns)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [*["a", "b", "a"] * 3, *[None] * 20],
            r"in at least 10 rows; 9 of 29 rows have one \(rows with a value: label 9\)",
        ),
        ([None] * 12, r"in at least 10 rows; 0 of 12 rows"),
        (
            {"kind": ["a", "b"] * 10, "mass": [*[np.nan] * 12, *np.linspace(0, 1, 8)]},
            r"8 of 20 rows have all of them \(rows with a value: kind 20, mass 8\)",
        ),
        (
            {"kind": [*["a", "b"] * 8, "c", "c"], "mass": [*np.linspace(0, 1, 16), np.nan, np.nan]},
            r"labels\['kind'\]: class 'c' \(1 such in all\) is in no row where every label variable is known",
        ),
        ([*["a"] * 12, None], "labels must tell rows apart; label is 'a' in all 12 rows"),
        ([*range(12), *[None] * 20], "has 12 classes in 12 rows"),
    ],
)
def test_too_few_labels_are_explained(labels: Any, message: str) -> None:
    with pytest.raises(InputValueError, match=message):
        encode_labels(labels, allow_missing=True)


def test_what_is_wrong_beside_gaps_is_named_by_its_own_row() -> None:
    with pytest.raises(InputTypeError, match=r"row 14 holds 3 \(int\)"):
        encode_labels([None, *["a", "b"] * 6, "a", 3], allow_missing=True)


# A range of rows at a time --------------------------------------------------------------------------------------------

MIXED: dict[str, Any] = {
    "tree": ["oak", None, "pine", "elm", "oak", "pine"] * 5,
    "donor": np.arange(30) % 3,
    "mass": np.where(np.arange(30) % 7 == 3, np.nan, np.arange(30) ** 2 + 0.5),
    "is_wet": (np.arange(30) % 2).astype(float),
    "always": ["x"] * 30,
}


def test_encoder_rows_are_those_of_the_whole_matrix() -> None:
    whole, encoder = encode_labels(MIXED, allow_missing=True), label_encoder(MIXED)
    assert (encoder.n_samples, encoder.n_columns, encoder.n_labelled) == (*whole.values.shape, whole.n_labelled)
    assert (encoder.column_names, encoder.n_classes, encoder.notes) == (whole.column_names, 6, whole.notes)
    for step in (1, 7, 30):
        parts = [encoder.rows(first, min(first + step, 30)) for first in range(0, 30, step)]
        assert np.array_equal(np.vstack(parts), whole.values)
    assert encoder.rows(5, 5).shape == (0, encoder.n_columns)


def test_encoder_columns_mean_what_their_names_say() -> None:
    encoder = label_encoder(MIXED)
    rows = dict(zip(encoder.column_names, encoder.rows(0, 30).T, strict=True))
    known = np.array([t is not None for t in MIXED["tree"]]) & ~np.isnan(MIXED["mass"])
    assert np.array_equal(encoder.is_labelled, known)
    assert np.array_equal(rows["tree=pine"], known & (np.array(MIXED["tree"]) == "pine"))
    assert np.array_equal(rows["donor=2"], known & (MIXED["donor"] == 2))
    assert np.array_equal(rows["is_wet"], known * MIXED["is_wet"])
    mass = next(v for v in encoder.variables if v.name == "mass")
    # The column is rounded twice (largest value, spread), its centre and scale once more each.
    assert np.allclose(rows["mass"][known] * mass.scale + mass.centre, MIXED["mass"][known], rtol=1e-14, atol=1e-12)


def test_encoder_holds_codes_not_columns() -> None:
    encoder = label_encoder(np.arange(1000) % 300)
    assert [values.nbytes for values in encoder._values] == [2000]
    many = label_encoder(np.arange(20) % 2 == 0)
    assert [values.nbytes for values in many._values] == [20]


def test_encoder_takes_rows_in_any_order() -> None:
    encoder = label_encoder(MIXED)
    positions = np.array([29, 0, -1, 1, 0])
    taken = encoder.take(positions)
    assert taken.encoding == encoder.encoding
    assert taken.is_labelled.tolist() == [bool(encoder.is_labelled[29]), True, False, False, True]
    whole = encoder.rows(0, 30)
    assert np.array_equal(taken.rows(0, 5), np.vstack([whole[29], whole[0], 0 * whole[0], 0 * whole[0], whole[0]]))
    assert np.array_equal(taken.rows(0, 5), encode_labels(MIXED, allow_missing=True).take(positions).values)


@pytest.mark.parametrize(("first", "stop"), [(-1, 3), (3, 31), (4, 3)])
def test_encoder_refuses_rows_there_are_not(first: int, stop: int) -> None:
    with pytest.raises(InputValueError, match=rf"0 <= first <= stop <= 30.*got {first} and {stop}"):
        label_encoder(MIXED).rows(first, stop)


def test_encodings_survive_json_and_tell_data_sets_apart() -> None:
    encoding = label_encoder(MIXED).encoding
    assert LabelEncoding.from_dict(json.loads(json.dumps(encoding.to_dict()))) == encoding
    shifted = label_encoder({**MIXED, "mass": MIXED["mass"] + 1}).encoding
    assert shifted.column_names == encoding.column_names
    assert shifted != encoding  # equal names, but a column of one is not a column of the other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"column_names": ["a"]}, "end at column 8 with 6 classes; it names 1 columns"),
        ({"n_classes": 5}, "6 classes; it names 8 columns and 5"),
        ({"n_classes": None}, "TypeError"),
        ({"variables": [{"name": "tree"}]}, "KeyError: 'first'"),
        ({"notes": ["x"]}, "ValueError"),
    ],
)
def test_what_is_no_encoding_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputValueError, match=rf"not a label encoding.*{message}"):
        LabelEncoding.from_dict({**label_encoder(MIXED).encoding.to_dict(), **change})

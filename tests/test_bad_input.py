"""Every kind of bad input gets a sentence that names the argument, what came, what is wanted and the way out; never a number.

The table crosses defects with the argument they sit in; each case says which words the sentence must hold.
"""

import re
from functools import partial

import numpy as np
import pytest

import crossphase
from crossphase.errors import InputTypeError, InputValueError

N, P, Q = 60, 5, 4
METHODS = ("subspace", "components")
diagnose_published = partial(crossphase.diagnose, method="components")


def good():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(N, P))
    return {"X": X, "Y": X[:, :Q] + rng.normal(size=(N, Q)), "labels": np.arange(N) % 3}


def at(value, row, column):
    def change(array):
        array = array.copy()
        array[row, column] = value
        return array

    return change


# name: (how the array is damaged, error, words the sentence must hold besides the argument's name)
ARRAY_DEFECTS = {
    "nan": (at(np.nan, 7, 2), InputValueError, ["finite", "nan", "row 7", "column 2", "1 such value in all", "Drop"]),
    "inf": (at(np.inf, 0, 3), InputValueError, ["finite", "inf", "row 0", "column 3"]),
    "minus inf": (at(-np.inf, N - 1, 0), InputValueError, ["finite", "-inf", f"row {N - 1}", "column 0"]),
    "many nan": (at(np.nan, slice(3, 5), slice(None)), InputValueError, ["row 3", "column 0", "such values in all"]),
    "float32 nan": (lambda a: at(np.nan, 9, 1)(a.astype("f4")), InputValueError, ["row 9", "column 1"]),
    "float16 inf": (lambda a: at(np.inf, 2, 2)(a.astype("f2")), InputValueError, ["finite", "inf"]),
    "one row short": (lambda a: a[:-1], InputValueError, ["same number of rows", str(N - 1), str(N)]),
    "no rows": (lambda a: a[:0], InputValueError, ["empty", "at least one row"]),
    "no columns": (lambda a: a[:, :0], InputValueError, ["empty", "at least one row and column"]),
    "one-dimensional": (lambda a: a[:, 0], InputValueError, ["(n_samples, n_features)", f"({N},)", "[:, None]"]),
    "three-dimensional": (lambda a: a[:, :, None], InputValueError, ["(n_samples, n_features)", "1)"]),
    "scalar": (lambda a: np.float64(3), InputValueError, ["(n_samples, n_features)", "()"]),
    "integers": (
        lambda a: (10 * a).astype(int),
        InputTypeError,
        ["float16, bfloat16, float32 or float64", "int64", "astype"],
    ),
    "uint16": (lambda a: np.abs(a).astype("u2"), InputTypeError, ["uint16", "astype", "bfloat16 bits", 'view("V2")']),
    "booleans": (lambda a: a > 0, InputTypeError, ["bool", "astype"]),
    "complex": (lambda a: a + 1j, InputTypeError, ["complex128", "separate columns"]),
    "strings": (lambda a: a.astype(str), InputTypeError, ["<U", "np.asarray"]),
    "bytes": (lambda a: a.astype("S8"), InputTypeError, ["|S8", "np.asarray"]),
    "objects": (lambda a: a.astype(object), InputTypeError, ["object", "np.asarray"]),
    "dates": (lambda a: a.astype("M8[D]"), InputTypeError, ["datetime64", "floating-point"]),
    "long double": (lambda a: a.astype(np.longdouble), InputTypeError, ["float128", "astype"]),
    "ragged": (lambda a: [[1.0, 2.0], [3.0]], InputTypeError, ["list", "NumPy cannot read"]),
    "none": (lambda a: None, InputTypeError, ["is needed", "None"]),
    "masked": (lambda a: np.ma.masked_greater(a, 1), InputTypeError, ["masked array", "Drop or fill"]),
    "constant": (np.ones_like, InputValueError, ["constant", "none of its", "columns varies", "Check"]),
    "huge": (lambda a: 1e200 * a, InputValueError, ["overflow", "rescale"]),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("argument", ["X", "Y"])
@pytest.mark.parametrize("defect", ARRAY_DEFECTS)
def test_array_defects(defect, argument, method):
    damage, error, words = ARRAY_DEFECTS[defect]
    inputs = good()
    inputs[argument] = damage(inputs[argument])
    with pytest.raises(error) as caught:
        crossphase.diagnose(**inputs, method=method)
    sentence = str(caught.value)
    assert re.search(rf"\b{argument}\b", sentence), sentence
    for word in words:
        assert word in sentence, sentence


LABEL_DEFECTS = {
    "one class": (lambda n: np.zeros(n, int), InputValueError, ["one class only", "'0' in all 60 rows", "two classes"]),
    "constant measurement": (lambda n: np.full(n, 2.5), InputValueError, ["'2.5' in all 60 rows", "varies"]),
    "missing measurement": (
        lambda n: np.r_[np.nan, np.arange(n - 1.0)],
        InputValueError,
        ["finite", "nan", "row 0", "Drop"],
    ),
    "missing name": (lambda n: ["a", "b", None] * (n // 3), InputValueError, ["missing value", "row 2", "drop"]),
    "short": (lambda n: np.arange(n - 1) % 2, InputValueError, ["one row for each of the 60 rows", "got 59"]),
    "empty": (lambda n: [], InputValueError, ["empty", "at least one"]),
    "no variables": (lambda n: {}, InputValueError, ["empty", "at least one"]),
    "uneven": (lambda n: {"a": np.arange(n) % 2, "b": [1, 2]}, InputValueError, ["one value a row", "'b': 2"]),
    "identifiers": (np.arange, InputValueError, ["60 classes in 60 rows", "identifier", "astype(float)"]),
    "dates": (lambda n: np.arange(n).astype("M8[D]"), InputTypeError, ["datetime64", "Convert"]),
    "complex": (lambda n: np.arange(n) * 1j, InputTypeError, ["complex128", "Convert"]),
    "mixed": (lambda n: ["a", 1, 2.5] * (n // 3), InputTypeError, ["strings only, or numbers only", "row 1", "str()"]),
    "three-dimensional": (lambda n: np.zeros((n, 1, 1)), InputValueError, ["(n_samples, n_labels)", "(60, 1, 1)"]),
    "masked": (lambda n: np.ma.masked_equal(np.arange(n) % 3, 0), InputTypeError, ["masked array", "Drop"]),
}


@pytest.mark.parametrize(
    ("defect", "method"),
    # Missing labels are bad input to the published procedure alone.
    [(d, m) for d in LABEL_DEFECTS for m in METHODS if not (m == "subspace" and d.startswith("missing"))],
)
def test_label_defects(defect, method):
    make, error, words = LABEL_DEFECTS[defect]
    with pytest.raises(error) as caught:
        crossphase.diagnose(**{**good(), "labels": make(N)}, method=method)
    for word in ["label", *words]:
        assert word in str(caught.value)


SETTINGS = {
    "n_components": [(0, "at least 1; got 0"), (2.5, "an integer"), ("3", "an integer"), (True, "an integer")],
    "n_folds": [(1, "at least 2"), (None, "an integer")],
    "n_permutations": [(0, "at least 1"), (1.0, "an integer")],
    "alpha": [(0, "> 0; got 0"), (-1.0, "> 0"), (np.nan, "finite"), ("1", "a finite number")],
    "ridge": [(-1e-6, ">= 0; got -1e-06"), (np.inf, "finite"), (None, "a finite number")],
    "standardize": [("yes", "True or False"), (1, "True or False")],
    "reduce": [
        (0, "at least 1"),
        (2.5, "an integer"),
        ((1, 2, 3), "a pair of integers"),
        ((3, 0), "at least 1"),
        ("most", 'reduce must be "auto", an integer'),
    ],
    "rehearse": [("no", "True or False; got 'no'"), (0, "True or False")],
    "audit": [(None, "True or False; got None")],
    "at_use": [("z", "at_use must be one of x, y, both; got 'z'")],
    "rng": [(-1, "at least 0"), ("seed", "an integer >= 0, a numpy.random.SeedSequence"), (True, "got True")],
    "groups": [
        (np.arange(N - 1), f"shape ({N},), one group a row; got ({N - 1},)"),
        (np.zeros(N), "at least 2; got 1"),
        (np.r_[np.nan, np.arange(N - 1.0)], "must not be missing; got nan at row 0"),
    ],
    "ids": [
        (np.arange(N), "(ids_x, ids_y) or (ids_x, ids_y, ids_labels)"),
        ((np.arange(N),), "(ids_x, ids_y) or (ids_x, ids_y, ids_labels)"),
        ((np.arange(N), np.arange(N - 1)), f"ids_y must have one id for each of the {N} rows; got {N - 1}"),
        ((np.arange(N), np.arange(N) + N), "no id in common"),
        ((np.arange(N), np.arange(N) // 2), "ids_y must name every row differently"),
        ((np.arange(N), np.arange(N), np.arange(N - 1)), f"ids_labels must have one id for each of the {N} rows; got"),
    ],
    "n_threads": [(0, "at least 1"), (1.5, "an integer")],
    "method": [("magic", "method must be one of subspace, components; got 'magic'")],
    "signal_rule": [("knee", "elbow, elbow_log, permutation; got 'knee'")],
    "backend": [("gpu", "cpu, reference or None; got 'gpu'")],
}


@pytest.mark.parametrize(("setting", "value", "words"), [(s, v, w) for s, cases in SETTINGS.items() for v, w in cases])
def test_settings(setting, value, words):
    with pytest.raises((InputValueError, InputTypeError)) as caught:
        crossphase.diagnose(**good(), **{setting: value})
    assert setting in str(caught.value)
    assert words in str(caught.value)


def test_more_folds_than_rows():
    with pytest.raises(InputValueError, match=f"n_folds must leave .*{N + 1} folds for {N} rows"):
        diagnose_published(**good(), n_folds=N + 1)


def test_groups_are_not_ignored_by_the_published_procedure():
    with pytest.raises(InputValueError, match='groups need method="subspace"'):
        diagnose_published(**good(), groups=np.arange(N) // 2)


def test_groups_that_do_not_fit_are_refused_beside_ids():
    with pytest.raises(InputValueError, match=r"groups must have shape \(60,\), one group a row; got \(70,\)"):
        crossphase.diagnose(**good(), ids=(np.arange(N), np.arange(N)), groups=np.arange(70) // 2)


def test_labels_that_do_not_fit_are_refused_beside_ids():
    inputs = {**good(), "labels": np.arange(2 * N) % 3}
    with pytest.raises(InputValueError, match="labels without ids of their own are of the rows of X, 60; got 120"):
        crossphase.diagnose(**inputs, ids=(np.arange(N), np.arange(N)))


def test_a_mapping_of_views_takes_no_second_view_and_no_ids():
    inputs = good()
    views = {"a": inputs["X"], "b": inputs["Y"]}
    with pytest.raises(InputTypeError, match="Y must not be given beside labels="):
        crossphase.diagnose(views, inputs["Y"], inputs["labels"])
    with pytest.raises(InputValueError, match="ids are of two views; got a mapping"):
        crossphase.diagnose(views, inputs["labels"], ids=(np.arange(N), np.arange(N)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [1, 2, 9])
def test_too_few_rows(n, method):
    inputs = {name: values[:n] for name, values in good().items()}
    inputs["labels"] = np.arange(n) / 7
    with pytest.raises(
        InputValueError,
        match=rf"(at least 10 rows; got {n}\. Collect more pairs)|labels must tell|fewer than 10|at least 10",
    ):
        crossphase.diagnose(**inputs, method=method)


@pytest.mark.parametrize(
    ("n", "p", "q", "sentence"),
    [
        (
            60,
            40,
            30,
            r"40 \+ 30 features, .* n_samples - 1 = 59: at least 11 canonical correlations are then exactly 1",
        ),
        (60, 30, 30, r"at least 1 canonical correlation is then exactly 1"),
        (60, 100, 80, r"59 \+ 59 independent directions \(of 100 \+ 80 features\), .* n_samples - 1 = 59"),
        (60, 30, 29, r"30 \+ 29 features, .* no degree of freedom"),
    ],
)
def test_more_features_than_rows_names_the_option(n, p, q, sentence):
    rng = np.random.default_rng(0)
    X, Y, labels = rng.normal(size=(n, p)), rng.normal(size=(n, q)), np.arange(n) % 2
    with pytest.raises(InputValueError, match=sentence) as caught:
        diagnose_published(X, Y, labels)
    suggested = int(re.search(r"\(reduce=(\d+) leaves", str(caught.value)).group(1))
    found = diagnose_published(X, Y, labels, reduce=suggested)  # the remedy works
    assert found.components.cca.spectrum.max() < 1


def test_one_feature_less_is_accepted():
    rng = np.random.default_rng(0)
    found = diagnose_published(rng.normal(size=(60, 29)), rng.normal(size=(60, 29)), np.arange(60) % 2)
    assert "few_rows" in {warning.code for warning in found.warnings}


def test_reduction_that_is_not_enough():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(60, 80)), rng.normal(size=(60, 70))
    with pytest.raises(InputValueError, match=r"30 \+ 30 principal components"):
        diagnose_published(X, Y, np.arange(60) % 2, reduce=30)


def test_pairs_of_identical_views_are_no_crash():
    """Correlation 1 everywhere is the truth here."""
    X = good()["X"]
    found = diagnose_published(X, X, np.arange(N) % 3)
    # ridge 1e-6 against variances near 1 takes about 1e-6 off.
    assert found.components.cca.spectrum.min() > 1 - 1e-5


def test_repeated_columns_are_no_crash():
    inputs = good()
    inputs["X"] = np.hstack([inputs["X"], inputs["X"][:, :2]])
    with pytest.warns(crossphase.InputWarning, match="X: 7 columns span only 5 directions"):
        found = diagnose_published(**inputs)
    assert len(found.components.cca.spectrum) == min(P, Q)
    assert found.components.cca.spectrum.max() < 1


def test_more_features_than_rows_are_refused_where_nothing_may_be_left_out():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(60, 40)), rng.normal(size=(60, 30))
    with pytest.raises(InputValueError, match=r"40 \+ 30 features, .* at least 11 canonical correlations"):
        crossphase.diagnose(X, Y, np.arange(60) % 2, reduce=None)

"""All pairs of several views."""

from __future__ import annotations

import doctest
import json
from functools import partial
from typing import Any

import jsonschema
import numpy as np
import pytest

import crossphase
from crossphase import InputTypeError, InputValueError, InputWarning, Regime, SpikedModel
from crossphase.demo_data import load_demo
from crossphase.diagnosis import Objective
from crossphase.pairwise import pair_score

# What is said of pairs does not depend on the method; the published one is the quicker.
diagnose = partial(crossphase.diagnose, method="components")
diagnose_pairs = partial(crossphase.diagnose_pairs, method="components")


@pytest.fixture(scope="module")
def digit_views() -> tuple[dict[str, np.ndarray], np.ndarray]:
    X, Y, digits = load_demo()
    rng = np.random.default_rng(0)
    return {"outline": X, "picture": Y, "noise": rng.standard_normal((len(X), 20)).astype("f4")}, digits


def test_every_pair_is_diagnosed_as_on_its_own(digit_views):
    views, digits = digit_views
    found = diagnose_pairs(views, digits, n_components=20)
    assert list(found.pairs) == [("outline", "picture"), ("outline", "noise"), ("picture", "noise")]
    for (x, y), d in found.pairs.items():
        assert d.to_json() == diagnose(views[x], views[y], digits, n_components=20).to_json()
    d = found.pairs["outline", "noise"]
    assert found.delta_ca[0, 2] == found.delta_ca[2, 0] == d.delta_ca.value
    assert found.delta_cp[0, 2] == d.delta_cp.value
    assert found.delta_cp[2, 0] == d.delta_cp_reverse.value
    assert np.isnan(np.diag(found.delta_ca)).all()


def test_the_best_pair_shares_the_signal():
    """Two views of one spiked model share signal far above their nuisance; the third shares only the nuisance."""
    model = SpikedModel((3, 2.5, 2), 0.2, 0.2, 0.5, 0.5, eta=0.3, n_features_x=12, n_features_y=12, rng=0)
    X, Y, signal = model.sample(4000, rng=1)
    assert model.regime is Regime.BOTH
    rng = np.random.default_rng(2)
    other = rng.standard_normal((4000, 8))
    found = crossphase.diagnose_pairs({"other": other, "first": X, "second": Y}, signal)
    assert found.best_pair == ("first", "second")
    assert str(found).startswith("Best pair: first × second: ")
    assert "  * first × second" in str(found)
    assert "first × second" in repr(found)
    by_ratios = diagnose_pairs({"other": other, "first": X, "second": Y}, signal)
    assert by_ratios.best_pair == ("first", "second")
    objective = by_ratios.pairs["first", "second"].recommendation.objective
    assert objective in (Objective.ALIGN, Objective.PREDICT_Y_FROM_X, Objective.PREDICT_X_FROM_Y)
    assert by_ratios.advice["first", "second"].startswith(("align", "predict second", "predict first"))


def test_no_pair_is_best_where_none_is_recommended():
    rng = np.random.default_rng(0)
    views = {name: rng.standard_normal((400, 5)) for name in "abc"}
    found = diagnose_pairs(views, rng.standard_normal(400))
    assert {d.recommendation.objective for d in found.pairs.values()} == {Objective.UNDECIDED}
    assert found.best_pair is None
    assert all(pair_score(d) == -np.inf for d in found.pairs.values())
    assert str(found).startswith("Best pair: none; no pair is worth more than its better view")


def test_the_score_of_a_pair_is_that_of_what_is_recommended(digit_views):
    views, digits = digit_views
    d = crossphase.diagnose(views["outline"], views["picture"], digits, audit=False)
    assert d.recommendation.objective is Objective.CONCATENATE
    assert pair_score(d) == d.rehearsal.budgets[-1].score("concat").value
    d = diagnose(views["outline"], views["picture"], digits)  # the published procedure
    assert d.recommendation.objective is Objective.PREDICT_X_FROM_Y
    assert pair_score(d) == pytest.approx(np.log(d.delta_cp_reverse.value))


def test_paths_and_arrays_mix(digit_views, tmp_path):
    views, digits = digit_views
    np.save(tmp_path / "x.npy", views["outline"])
    np.save(tmp_path / "labels.npy", digits)
    mixed = diagnose_pairs({"a": tmp_path / "x.npy", "b": views["picture"]}, tmp_path / "labels.npy")
    arrays = diagnose_pairs({"a": views["outline"], "b": views["picture"]}, digits)
    assert mixed.to_json() == arrays.to_json()


def test_plain_objects(digit_views):
    import importlib.resources

    views, digits = digit_views
    found = diagnose_pairs(views, digits)
    document = json.loads(found.to_json())
    assert document == found.to_dict()
    assert document["view_names"] == ["outline", "picture", "noise"]
    assert document["best_pair"] == (None if found.best_pair is None else list(found.best_pair))
    assert document["delta_ca"][0][0] is None
    schema = json.loads((importlib.resources.files("crossphase.diagnosis") / "schema.json").read_text())
    for pair in document["pairs"]:
        jsonschema.validate(pair["diagnosis"], schema)
        assert found.advice[pair["x"], pair["y"]] == pair["advice"]


def test_warnings_name_the_view_once():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((300, 2))
    views = {name: np.hstack([shared + rng.standard_normal((300, 2)), rng.standard_normal((300, 2))]) for name in "abc"}
    views["b"][:, 3] = 1.0
    with pytest.warns(InputWarning) as caught:
        diagnose_pairs(views, shared)
    assert len(caught) == 1
    assert str(caught[0].message).startswith("view 'b': ")
    assert "constant column 3 dropped" in str(caught[0].message)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("views", "labels", "error", "message"),
    [
        ([np.ones((20, 2))] * 2, None, InputTypeError, "views must be a mapping of names to arrays or paths; got list"),
        ({"a": np.ones((20, 2))}, None, InputValueError, "views must hold at least two; got 1"),
        ({1: np.ones((20, 2)), "b": np.ones((20, 2))}, None, InputTypeError, "views must have names, strings; got 1"),
        ({"a": np.ones((20, 2), int), "b": np.ones((20, 2))}, None, InputTypeError, r"views\['a'\] must be float16"),
        (
            {"a": np.ones((20, 2)), "b": np.ones((21, 2))},
            None,
            InputValueError,
            r"same number of rows.*'a': 20, 'b': 21",
        ),
        ({"a": np.eye(20)[:, :3], "b": np.ones((20, 2))}, [1] * 20, InputValueError, "^labels must tell rows apart"),
        (
            {"a": np.eye(20)[:, :3], "b": np.ones((20, 2))},
            [1, 2] * 10,
            InputValueError,
            r"views 'a' \(X\) and 'b' \(Y\): Y is constant",
        ),
    ],
)
def test_bad_input_gets_a_sentence(views: Any, labels: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        diagnose_pairs(views, labels)


def test_docstring_example():
    outcome = doctest.testmod(crossphase.pairwise)
    assert outcome.attempted > 0
    assert outcome.failed == 0

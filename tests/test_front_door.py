"""What ``diagnose`` promises of its input, by either method: types, layouts, threads, files, order, units, what is missing."""

import json
import warnings
from dataclasses import replace
from importlib import resources

import jsonschema
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import crossphase
from crossphase.demo_data import load_demo
from crossphase.diagnosis import Objective
from crossphase.regimes import Regime

METHODS = ("subspace", "components")
# Other coordinates meet other simulated samples, as another seed does. Over seeds the ratios of `spiked` have a relative standard
# deviation of 5 to 8 % (their intervals are far wider): three of these.
SIMULATED = {"subspace": 0.25, "components": 1e-6}
ARRAYS = {
    "log_delta_draws",
    "groups",
    "directions",
}  # left out of documents: draws, a number a row, whitened directions


@pytest.fixture(scope="module", params=METHODS)
def method(request):
    return request.param


@pytest.fixture(scope="module")
def spiked():
    """Two shared directions that are the labels, independent nuisance."""
    rng = np.random.default_rng(7)
    n = 300
    shared = rng.normal(size=(n, 2)) * 2
    X = np.hstack([shared + 0.5 * rng.normal(size=(n, 2)), rng.normal(size=(n, 6))])
    Y = np.hstack([shared + 0.5 * rng.normal(size=(n, 2)), rng.normal(size=(n, 4))])
    return X, Y, shared


@pytest.fixture(scope="module")
def result(spiked, method):
    return crossphase.diagnose(*spiked, method=method)


def quick(*arguments, **options):
    """Without what other tests try out."""
    return crossphase.diagnose(*arguments, **{"rehearse": False, "audit": False, **options})


def schema():
    return json.loads(resources.files("crossphase.diagnosis").joinpath("schema.json").read_text())


def without(result, *names):
    return {name: value for name, value in result.to_dict().items() if name not in names}


def correlations(result):
    """Of the sample, as the method has them: the directions that it compares, signal and nuisance."""
    if result.components is not None:
        return result.components.cca.spectrum
    a = result.subspace.alignment
    return np.concatenate([a.in_sample_signal, a.in_sample_nuisance])


def test_the_method_is_told(result, method):
    assert result.settings.method == method
    assert (result.subspace is None) == (method == "components")
    assert (result.components is None) == (method == "subspace")
    assert f"method {method}" in " ".join(str(result).split())


@pytest.mark.parametrize(("n_threads", "layout"), [(1, "c"), (2, "fortran"), (3, "strided"), (7, "reversed")])
def test_the_same_bytes_for_any_threads_and_layout(spiked, result, method, n_threads, layout):
    X, Y, labels = spiked
    wide = np.zeros((len(X), 2 * X.shape[1]))
    wide[:, ::2] = X
    x, y = {
        "c": (X, Y),
        "fortran": (np.asfortranarray(X), np.asfortranarray(Y)),
        "strided": (wide[:, ::2], Y),
        "reversed": (X[::-1].copy()[::-1], Y[:, ::-1].copy()[:, ::-1]),
    }[layout]
    assert crossphase.diagnose(x, y, labels, method=method, n_threads=n_threads).to_json() == result.to_json()


def test_backends_agree(spiked, method):
    reference, kernels = (quick(*spiked, method=method, backend=backend) for backend in ("reference", "cpu"))
    assert (reference.backend, kernels.backend) == ("reference", "cpu")
    # Moments that differ in their last digits, inflated by condition numbers below 1e3.
    np.testing.assert_allclose(correlations(reference), correlations(kernels), rtol=1e-10)
    assert reference.delta_ca.value == pytest.approx(kernels.delta_ca.value, rel=SIMULATED[method])
    assert reference.regime == kernels.regime


def test_inputs_are_left_alone(spiked, method):
    copies = [array.copy() for array in spiked]
    crossphase.diagnose(*spiked, method=method, standardize=True, reduce=4)
    for before, after in zip(copies, spiked, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
def test_narrow_types_equal_their_values_in_float64(spiked, method, dtype):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    narrow = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    X, Y = (array.astype(narrow) for array in spiked[:2])
    from_narrow = crossphase.diagnose(X, Y, spiked[2], method=method)
    from_wide = crossphase.diagnose(X.astype(np.float64), Y.astype(np.float64), spiked[2], method=method)
    assert (from_narrow.dtype_x, from_wide.dtype_x) == (dtype, "float64")
    assert without(from_narrow, "dtype_x", "dtype_y") == without(from_wide, "dtype_x", "dtype_y")


def test_paths_equal_arrays(spiked, result, method, tmp_path):
    for name, array in zip(("x", "y", "labels"), spiked, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
    x, y, labels = tmp_path / "x.npy", str(tmp_path / "y.npy"), tmp_path / "labels.npy"
    assert crossphase.diagnose(x, y, labels, method=method).to_json() == result.to_json()


def test_constant_columns_are_dropped_and_named(spiked, method):
    X, Y, labels = spiked
    padded = np.insert(X, [0, 3], 5.0, axis=1)
    with pytest.warns(crossphase.InputWarning, match=r"X: constant columns 0, 4 dropped \(2 of 10\)"):
        found = quick(padded, Y, labels, method=method)
    plain = quick(X, Y, labels, method=method)
    assert found.constant_columns_x == (0, 4)
    assert found.warnings[0].code == "constant_columns"
    # The same numbers in other blocks of columns: a dozen roundings, inflated by condition numbers below 1e3.
    np.testing.assert_allclose(correlations(found), correlations(plain), atol=1e-10)
    assert found.delta_ca.value == pytest.approx(plain.delta_ca.value, rel=1e-6)


def test_scaling_a_view_by_a_power_of_two_changes_units_alone(spiked, method):
    X, Y, labels = spiked
    options = {"ridge": 0.0, "alpha": 1e-12} if method == "components" else {}  # both have units
    plain = quick(X, Y, labels, method=method, **options)
    scaled = quick(X * 2.0**20, Y * 2.0**-9, labels, method=method, **options)
    np.testing.assert_allclose(correlations(scaled), correlations(plain), rtol=1e-9)
    assert scaled.delta_ca.value == pytest.approx(plain.delta_ca.value, rel=1e-6)
    assert scaled.delta_cp.value == pytest.approx(plain.delta_cp.value, rel=SIMULATED[method])
    if method == "subspace":
        gains = [[e.value for e in d.subspace.prediction.signal] for d in (plain, scaled)]
        np.testing.assert_allclose(np.array(gains[1]) * 2.0**9, gains[0], rtol=SIMULATED[method])


def test_the_order_of_columns_does_not_matter(spiked, method):
    X, Y, labels = spiked
    shuffled = np.random.default_rng(0).permutation(X.shape[1])
    plain, other = quick(X, Y, labels, method=method), quick(X[:, shuffled], Y, labels, method=method)
    np.testing.assert_allclose(correlations(other), correlations(plain), atol=1e-10)
    assert other.delta_ca.value == pytest.approx(plain.delta_ca.value, rel=SIMULATED[method])
    assert other.regime == plain.regime


def test_rows_are_matched_by_their_ids(spiked, result, method):
    X, Y, labels = spiked
    rng = np.random.default_rng(1)
    names = np.array([f"s{i:03}" for i in range(len(X))])
    order_y, order_labels = rng.permutation(len(X)), rng.permutation(len(X))
    more_y = np.vstack([Y[order_y], np.full((3, Y.shape[1]), 1e6)])  # of nobody in X: left out
    ids = (names, [*names[order_y], "t1", "t2", "t3"])
    matched = crossphase.diagnose(X, more_y, labels, method=method, ids=ids)
    unmatched = [w for w in matched.warnings if w.code == "rows_unmatched"]
    assert "left out: 0 rows of X, 3 of Y" in unmatched[0].message
    same = replace(matched, warnings=tuple(w for w in matched.warnings if w.code != "rows_unmatched"))
    assert same.to_json() == result.to_json()
    by_own = crossphase.diagnose(X, more_y, labels[order_labels], method=method, ids=(*ids, names[order_labels]))
    # Labels are brought to mean 0 and variance 1 as they come: other roundings.
    np.testing.assert_allclose(correlations(by_own), correlations(result), rtol=1e-9)
    assert by_own.delta_ca.value == pytest.approx(result.delta_ca.value, rel=SIMULATED[method])


def test_rows_without_a_partner_are_left_out_with_their_labels_and_groups(spiked):
    X, Y, labels = spiked
    names, groups = np.arange(len(X)), np.arange(len(X)) // 3
    kept = np.r_[0:100, 150:300]
    by_hand = quick(X[kept], Y[kept], labels[kept], groups=groups[kept])
    found = quick(X, Y[kept], labels, ids=(names, names[kept]), groups=groups)
    assert found.n_samples == found.n_labelled == 250
    np.testing.assert_allclose(correlations(found), correlations(by_hand), rtol=1e-9)
    assert found.subspace.n_effective == pytest.approx(by_hand.subspace.n_effective, rel=1e-9)
    assert found.delta_ca.value == pytest.approx(by_hand.delta_ca.value, rel=SIMULATED["subspace"])


def test_groups_widen_intervals_and_keep_folds_apart(spiked):
    X, Y, labels = spiked
    repeated = [np.repeat(array, 4, axis=0) for array in (X, Y, labels)]
    alone = quick(*repeated)
    together = quick(*repeated, groups=np.repeat(np.arange(len(X)), 4))
    assert together.settings.has_groups
    assert not alone.settings.has_groups
    # Four copies of each row: as much is known as from one, up to what estimating the factor itself leaves open.
    assert together.subspace.n_effective < alone.subspace.n_effective / 2
    weakest = [d.subspace.alignment.signal[-1] for d in (alone, together)]
    assert weakest[1].high - weakest[1].low > 1.5 * (weakest[0].high - weakest[0].low)
    by_name = quick(*repeated, groups=[f"subject {i}" for i in range(len(X)) for _ in range(4)])
    assert by_name.to_json() == together.to_json()


def test_few_groups_are_said_to_be_few(spiked):
    groups = np.arange(len(spiked[0])) // 75
    found = crossphase.diagnose(*spiked, groups=groups)
    said = {w.code: w.message for w in found.warnings}
    assert "All rows are of 4 groups" in said["few_groups"]
    assert found.rehearsal is None
    assert "300 labelled rows of 4 groups are too few" in said["not_rehearsed"]
    assert "few_groups" not in {w.code for w in quick(*spiked, groups=np.arange(len(groups)) // 5).warnings}


def test_rows_without_labels_still_count_for_the_covariances(spiked):
    X, Y, labels = spiked
    is_known = np.arange(len(X)) % 3 == 0
    partly = np.where(is_known[:, None], labels, np.nan)
    with pytest.warns(crossphase.InputWarning, match="200 of 300 rows have no label; 100 do"):
        found = crossphase.diagnose(X, Y, {"a": partly[:, 0], "b": partly[:, 1]}, audit=False)
    assert (found.n_samples, found.n_labelled) == (len(X), int(is_known.sum()))
    assert "unlabelled_rows" in {w.code for w in found.warnings}
    assert found.rehearsal.n_labelled == is_known.sum()
    assert found.subspace.n_effective > 2 * found.subspace.n_effective_labelled
    assert found.regime is Regime.BOTH
    with pytest.raises(crossphase.InputValueError, match="finite"):
        crossphase.diagnose(X, Y, partly[:, 0], method="components")


def test_clusters_stand_in_for_labels(method):
    rng = np.random.default_rng(0)
    classes = np.arange(240) % 8
    centres = 6 * rng.normal(size=(8, 5))
    X, Y = (centres[classes] + rng.normal(size=(240, 5)) for _ in range(2))
    with pytest.warns(crossphase.InputWarning):
        found = quick(X, Y, method=method)
    assert "proxy_labels" in {w.code for w in found.warnings}
    assert found.n_classes > 1


def test_a_mapping_is_diagnosed_pair_by_pair(spiked, method):
    X, Y, labels = spiked
    found = quick({"a": X, "b": Y, "c": X[:, 2:]}, labels, method=method)
    assert list(found.pairs) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found.pairs["a", "b"].to_json() == quick(X, Y, labels, method=method).to_json()
    assert max(map(len, str(found).splitlines())) <= 90


def test_a_mapping_takes_rows_without_labels_and_any_type(spiked):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    X, Y, labels = spiked
    partly = np.where(np.arange(len(X)) % 2, labels[:, 0], np.nan)
    with pytest.warns(crossphase.InputWarning, match="150 of 300 rows have no label"):
        found = quick({"a": X.astype(ml_dtypes.bfloat16), "b": Y}, partly)
    assert found.pairs["a", "b"].n_labelled == len(X) // 2
    assert found.pairs["a", "b"].dtype_x == "bfloat16"


@pytest.mark.parametrize("at_use", ["x", "y", "both"])
def test_advice_is_for_the_views_at_use(spiked, at_use):
    found = crossphase.diagnose(*spiked, at_use=at_use, audit=False)
    assert found.settings.at_use == found.rehearsal.at_use == at_use
    impossible = {
        "x": {Objective.CONCATENATE, Objective.SINGLE_MODALITY_Y, Objective.PREDICT_X_FROM_Y},
        "y": {Objective.CONCATENATE, Objective.SINGLE_MODALITY_X, Objective.PREDICT_Y_FROM_X, Objective.JOINT},
        "both": set(),
    }[at_use]
    assert found.recommendation.objective not in impossible
    assert (found.recommendation.gain_over_concat is None) == (at_use != "both")


def test_what_is_switched_off_is_not_there(spiked):
    full = crossphase.diagnose(*spiked)
    for found in (full, quick(*spiked)):
        assert (found.rehearsal is None) == (found.pairing is None) == (found.shared_signal is None)
        assert ("Rehearsal" in str(found)) == (found.rehearsal is not None)
        assert ("Shared signal" in str(found)) == (found.shared_signal is not None)
    assert without(full, "rehearsal", "pairing", "shared_signal", "recommendation", "warnings") == without(
        quick(*spiked), "rehearsal", "pairing", "shared_signal", "recommendation", "warnings"
    )


def test_a_seed_repeats_and_another_seed_differs(spiked):
    first, again, other = (quick(*spiked, rng=seed).to_json() for seed in (1, np.random.SeedSequence(1), 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("n", "p", "q"), [(40, 77, 64), (60, 40, 30), (12, 30, 5), (10, 3, 3), (80, 39, 200)])
def test_more_features_than_rows_are_no_correlation(n, p, q):
    """Independent views and labels: whatever is left of the features, noise must not look like a correlation of 1."""
    rng = np.random.default_rng(n + p + q)
    for labels in (np.arange(n) % 3, rng.normal(size=n)):
        found = crossphase.diagnose(rng.normal(size=(n, p)), rng.normal(size=(n, q)), labels)
        a = found.subspace.alignment
        assert all(e.value < 0.99 for e in (*a.signal, a.largest_nuisance))
        assert found.settings.reduce_x is None or found.settings.reduce_x < n / 2
        assert found.recommendation.objective not in (Objective.ALIGN, Objective.JOINT)
        assert "reduced" in {w.code for w in found.warnings}


@pytest.mark.parametrize("n_features", [(1, 1), (1, 6), (8, 1)])
def test_one_feature_a_side(spiked, method, n_features):
    X, Y, labels = spiked
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = quick(X[:, : n_features[0]], Y[:, : n_features[1]], labels[:, 0], method=method)
    assert len(correlations(found)) == 1
    assert 0.7 < correlations(found)[0] < 1
    jsonschema.validate(json.loads(found.to_json()), schema())


@pytest.mark.parametrize("n_labels", [2, 3, 8])
def test_labels_that_leave_no_nuisance(spiked, method, n_labels):
    """As many label directions as features of a view, and more."""
    X, Y, _ = spiked
    labels = X[:, :2] @ np.random.default_rng(0).normal(size=(2, n_labels))
    found = quick(X[:, :2], Y[:, :2], labels, method=method)
    if method == "subspace":
        assert found.subspace.n_directions == 2
        assert found.delta_ca.value == np.inf
        assert "∞" in str(found)
    jsonschema.validate(json.loads(found.to_json(), parse_constant=pytest.fail), schema())


def test_labels_of_one_direction(spiked):
    X, Y, shared = spiked
    found = quick(X, Y, shared[:, 0] > 0)
    assert found.subspace.n_directions == 1
    assert len(found.subspace.alignment.signal) == 1


def test_labels_that_mean_nothing_decide_nothing(spiked, method):
    """The level of the subspace method's test is 1 %: one in a hundred labels may pass, one in a thousand pairs of them."""
    X, Y, _ = spiked
    rng = np.random.default_rng(3)
    found = [quick(X, Y, rng.normal(size=len(X)), method=method) for _ in range(4)]
    n_undecided = sum(d.recommendation.objective is Objective.UNDECIDED for d in found)
    assert n_undecided >= (3 if method == "subspace" else 1)
    assert "labels_not_predicted" in {w.code for d in found for w in d.warnings}
    for d in found:
        if method == "subspace" and not d.subspace.n_directions:
            assert d.regime_probabilities is d.delta_ca.probability_above_one is None
            assert not d.is_decided
            assert "Regime:" not in str(d)
            jsonschema.validate(json.loads(d.to_json()), schema())


def test_json_follows_its_schema(result, method):
    jsonschema.Draft202012Validator.check_schema(schema())
    document = json.loads(result.to_json(), parse_constant=pytest.fail)
    jsonschema.validate(document, schema())
    assert document == result.to_dict()
    assert document["schema_version"] == 2
    assert document["delta_ca"]["value"] == result.delta_ca.value
    assert not ARRAYS & keys_of(document)
    digits = crossphase.diagnose(*load_demo(), method=method)
    text = digits.to_json(indent=None)
    jsonschema.validate(json.loads(text), schema())
    assert len(text) < 100_000
    for spoiled in ({**document, "regime": "perhaps"}, {**document, "subspace": None, "components": None}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoiled, schema())


def keys_of(document):
    if isinstance(document, dict):
        return set(document) | {key for value in document.values() for key in keys_of(value)}
    return {key for item in document for key in keys_of(item)} if isinstance(document, list) else set()


def test_text_tells_the_verdict_first_and_fits_a_terminal(result):
    lines = str(result).splitlines()
    assert lines[0].startswith("What to train: ")
    assert max(map(len, lines)) <= 80
    for name in ("align (CA)", "predict Y from X", "predict X from Y"):
        assert any(name in line for line in lines)


def test_plots_show_what_the_numbers_say(result):
    pytest.importorskip("matplotlib")
    figure = result.plot()
    plane, ca = figure.axes[0], figure.axes[1]
    point = plane.lines[-1]
    parameters = result.phase_parameters
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (parameters.kappa, parameters.nu)
    heights = [patch.get_height() for patch in ca.containers[-1].patches]
    if result.subspace is None:
        nuisance = result.components.cca.spectrum[~result.components.cca.signals["elbow"].is_signal]
    else:
        nuisance = result.subspace.alignment.nuisance
    np.testing.assert_allclose(heights, nuisance, rtol=1e-12)
    texts = {text.get_text() for text in ca.get_legend().get_texts()}
    assert any(text.startswith("signal (2)") for text in texts)
    assert f"nuisance ({len(nuisance)})" in texts


def test_plots_of_edges(spiked):
    pytest.importorskip("matplotlib")
    X, Y, labels = spiked
    noise = np.random.default_rng(5).normal(size=len(X))
    assert "no place in the plane" in quick(X, Y, noise).plot().axes[0].texts[0].get_text()
    assert "∞" in quick(X[:, :1], Y[:, :1], labels[:, 0]).plot().axes[1].get_title()


def test_memory_stays_below_twice_the_inputs(method):
    """The promise of the README, at the size it is made for, by the kernel's own count of resident pages."""
    psutil = pytest.importorskip("psutil")
    rng = np.random.default_rng(0)
    X, Y, labels = rng.normal(size=(5000, 100)), rng.normal(size=(5000, 100)), np.eye(44)[rng.integers(44, size=5000)]
    quick(X[:500], Y[:500], labels[:500], method=method)  # threads, LAPACK and lazy imports are not the call's
    try:
        with open("/proc/self/clear_refs", "w") as stream:  # noqa: PTH123
            stream.write("5")  # the peak starts anew
    except OSError:
        pytest.skip("this system has no resettable peak of resident memory")
    before = psutil.Process().memory_info().rss
    quick(X, Y, labels, method=method)
    with open("/proc/self/status") as stream:  # noqa: PTH123
        peak = next(int(line.split()[1]) * 1024 for line in stream if line.startswith("VmHWM"))
    # The subspace method also holds 30 simulated covariances and a few at work, however many rows there are.
    simulated = (30 + 12) * 243**2 * 8 if method == "subspace" else 0
    assert peak - before <= 2 * (X.nbytes + Y.nbytes + labels.nbytes) + simulated


def test_blas_threads_change_no_bit():
    """Factorizations of 100 columns are shared out by BLAS where it may; the analysis holds it to one thread throughout."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1500, 100))
    Y = rng.normal(size=(1500, 100)) * np.linspace(0.3, 3, 100)
    Y[:, :10] += X[:, :10]
    labels = (X[:, 0] > 0) * 2 + (X[:, 1] > 0)
    found = set()
    for n_blas, n_threads in ((1, 1), (2, 1), (2, 2)):
        with threadpool_limits(n_blas):
            found.add(quick(X, Y, labels, n_threads=n_threads).to_json())
    assert len(found) == 1


def test_nuisance_labels_take_the_batch_out_of_the_labels():
    """Labels that are half batch: without nuisance labels the batch is signal, with them it is nuisance."""
    rng = np.random.default_rng(0)
    n = 2000
    batch = rng.integers(2, size=n)
    signal = rng.normal(size=n)
    mix_x, mix_y = (np.linalg.qr(rng.normal(size=(8, 8)))[0] for _ in range(2))
    X, Y = (
        np.column_stack([signal, 3 * batch, rng.normal(size=(n, 6))]) @ mix + 0.3 * rng.normal(size=(n, 8))
        for mix in (mix_x, mix_y)
    )
    labels = np.column_stack([signal + 0.2 * rng.normal(size=n), batch + 0.1 * rng.normal(size=n)])
    plain, beyond = quick(X, Y, labels), quick(X, Y, labels, nuisance_labels=batch)
    assert plain.subspace.n_directions == 2
    assert beyond.subspace.n_directions == 1
    caution = next(w for w in beyond.warnings if w.code == "labels_confounded")
    # Of two columns scaled to variance 1, the batch is 1 / 1.04 of one: .25 / (.25 + .01).
    assert "tell 48% of the labels" in caution.message
    # The batch correlates more across the views (2.25 of 2.34) than the signal (1 of 1.09): now it stands above.
    assert plain.delta_ca.value > 1 > beyond.delta_ca.value
    assert beyond.settings.has_nuisance_labels
    with pytest.raises(crossphase.InputValueError, match="nothing is left to call signal"):
        quick(X, Y, batch, nuisance_labels=batch)
    with pytest.raises(
        crossphase.InputValueError, match="nuisance_labels must have one value for each of the 2000 rows"
    ):
        quick(X, Y, labels, nuisance_labels=batch[:10])
    with pytest.raises(
        crossphase.InputValueError, match="nuisance_labels must have one value for each of the 2000 rows"
    ):
        quick(X, Y, labels, nuisance_labels=batch[:10], ids=(np.arange(n), np.arange(n)))
    with pytest.raises(crossphase.InputValueError, match='nuisance_labels need method="subspace"'):
        quick(X, Y, labels, nuisance_labels=batch, method="components")

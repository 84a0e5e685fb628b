"""The RUS model: published table, exactness against the dense joint, draws, splits, transforms."""

from __future__ import annotations

import math

import numpy as np
import pytest

import problems
from crossphase import FeatureTransforms, InputTypeError, InputValueError, RUSModel, information_decomposition

# R: I(X; labels), I(Y; labels), I(shared; labels), co-information, Bayes accuracies of X and Y (nats; Tjandrasuwita et al.).
PUBLISHED = {
    0: (0.3669, 0.4733, 0.0, -0.3186, 0.5412, 0.5952),
    1: (0.3669, 0.6188, 0.0884, -0.1731, 0.5412, 0.6467),
    2: (0.4935, 0.6076, 0.1520, -0.0577, 0.5787, 0.6512),
    3: (0.4935, 0.7717, 0.2591, 0.1063, 0.5787, 0.7367),
    4: (0.7151, 0.7334, 0.3669, 0.2896, 0.6663, 0.7083),
    5: (0.7151, 0.8867, 0.4935, 0.4429, 0.6663, 0.7446),
    6: (0.9717, 0.8806, 0.7151, 0.6934, 0.7994, 0.7363),
    7: (0.9717, 1.1588, 0.9717, 0.9717, 0.7994, 0.9063),
    8: (1.1588, 1.1588, 1.1588, 1.1588, 0.9063, 0.9063),
}
SMALL = {"n_relevant": 4, "n_shared_features": 4, "n_unique_features": 2, "n_classes": 3, "temperature": 0.2}


@pytest.mark.parametrize("n_redundant", PUBLISHED)
def test_published_table_to_every_digit(n_redundant):
    found = RUSModel(n_redundant).information
    row = (
        found.information_x,
        found.information_y,
        found.information_shared,
        found.co_information,
        found.bayes_accuracy_x,
        found.bayes_accuracy_y,
    )
    assert tuple(round(value, 4) for value in row) == PUBLISHED[n_redundant]
    assert round(found.information_joint, 4) == 1.1588
    assert round(found.bayes_accuracy_joint, 4) == 0.9063
    assert found.information_between_views == 8 * math.log(2)
    assert found.n_balancing_rounds == 16
    assert np.abs(np.array(found.class_probabilities) - [0.255, 0.242, 0.259, 0.245]).max() <= 0.5e-3 + 1e-5


@pytest.mark.parametrize("n_redundant", range(9))
def test_published_features_are_prefixes(n_redundant):
    model = RUSModel(n_redundant)
    shared, x, y = model.relevant_features
    assert shared == (7, 2, 1, 6, 0, 4, 3, 5)[:n_redundant]
    assert x == (3, 2, 0, 1)[: (8 - n_redundant) // 2]
    assert y == (2, 3, 0, 1)[: 8 - n_redundant - (8 - n_redundant) // 2]
    assert (len(x), len(y)) == (model.n_relevant_x, model.n_relevant_y)


def test_published_weights():
    """Recomputed the published way, through the global legacy stream."""
    state = np.random.get_state()
    try:
        np.random.seed(2)
        drawn = np.random.rand(8, 4)
    finally:
        np.random.set_state(state)
    assert np.array_equal(RUSModel(3).weights, drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def dense_joint(model):
    """p(x, y, label) over all patterns of both views, the published way: from the columns, one pair of patterns at a time."""
    n_bits, n_shared = model.n_features, model.n_shared_features
    patterns = (np.arange(2**n_bits)[:, None] >> np.arange(n_bits - 1, -1, -1)) & 1
    shared, own_x, own_y = (list(columns) for columns in model.relevant_features)
    joint = np.zeros((2**n_bits, 2**n_bits, model.n_classes))
    is_pair = np.zeros(joint.shape[:2], bool)
    for i, x in enumerate(patterns):
        for j, y in enumerate(patterns):
            if np.array_equal(x[:n_shared], y[:n_shared]):
                relevant = np.r_[x[shared], x[n_shared:][own_x], y[n_shared:][own_y]]
                joint[i, j] = np.exp(relevant @ model.weights / model.temperature)
                is_pair[i, j] = True
    joint[is_pair] /= joint[is_pair].sum(axis=1, keepdims=True)
    even = 1 / model.n_classes
    for _ in range(100):
        classes = joint.sum(axis=(0, 1)) / is_pair.sum()
        if np.allclose(classes, even, atol=0.01):
            break
        joint *= even / classes
        joint[is_pair] /= joint[is_pair].sum(axis=1, keepdims=True)
    return joint / is_pair.sum()


def entropy(pmf):
    positive = pmf[pmf > 0]
    return -(positive * np.log(positive)).sum()


@pytest.mark.parametrize("n_redundant", range(5))
def test_information_matches_the_dense_joint(n_redundant):
    model = RUSModel(n_redundant, **SMALL)
    joint = dense_joint(model)
    labels = joint.sum(axis=(0, 1))
    by_shared = joint.reshape(2**4, 2**2, 2**4, 2**2, 3).sum(axis=(1, 2, 3))
    found = model.information
    # Each value is a sum of at most 2^12 * 3 terms of magnitude below log 2^12 in all, in any order: see `problems`.
    tolerance = 3 * 2**12 * problems.U * 12 * math.log(2)
    expected = {
        "information_joint": entropy(labels) + entropy(joint.sum(axis=2)) - entropy(joint),
        "information_x": entropy(labels) + entropy(joint.sum(axis=(1, 2))) - entropy(joint.sum(axis=1)),
        "information_y": entropy(labels) + entropy(joint.sum(axis=(0, 2))) - entropy(joint.sum(axis=0)),
        "information_shared": entropy(labels) + entropy(by_shared.sum(axis=1)) - entropy(by_shared),
        "information_between_views": 2 * entropy(joint.sum(axis=(1, 2))) - entropy(joint.sum(axis=2)),
        "bayes_accuracy_x": joint.sum(axis=1).max(axis=1).sum(),
        "bayes_accuracy_y": joint.sum(axis=0).max(axis=1).sum(),
        "bayes_accuracy_joint": joint.max(axis=2).sum(),
    }
    for name, value in expected.items():
        assert abs(getattr(found, name) - value) <= tolerance, name
    assert np.abs(np.array(found.class_probabilities) - labels).max() <= tolerance


@pytest.mark.parametrize("n_redundant", [0, 1, 3])
def test_irrelevant_features_do_not_change_the_decomposition(n_redundant):
    model = RUSModel(n_redundant, **SMALL)
    of_relevant, of_all = model.decomposition(), information_decomposition(dense_joint(model))
    for part in ("redundancy", "unique_x", "unique_y", "synergy"):
        assert abs(getattr(of_relevant, part) - getattr(of_all, part)) <= of_relevant.gap + of_all.gap + 1e-12


@pytest.mark.parametrize("n_redundant", [0, 2, 4, 7, 8])
def test_decomposition_agrees_with_the_informations(n_redundant):
    model = RUSModel(n_redundant)
    found, exact = model.decomposition(), model.information
    assert found.gap <= 1e-8
    assert found.redundancy + found.unique_x == pytest.approx(exact.information_x, abs=1e-12)
    assert found.redundancy + found.unique_y == pytest.approx(exact.information_y, abs=1e-12)
    assert found.redundancy - found.synergy == pytest.approx(exact.co_information, abs=1e-12)


def test_construction_redundancy_is_not_partial_information():
    """At R = 0 no relevant feature is shared, and yet the views agree in part about the labels."""
    none, all_of_it = RUSModel(0), RUSModel(8).decomposition()
    assert none.information.information_shared < 1e-15
    assert none.decomposition().redundancy > 0.27
    assert all_of_it.unique_x == all_of_it.unique_y == all_of_it.synergy == 0
    # With one relevant feature unique, to Y, X knows nothing that Y does not.
    assert RUSModel(7).decomposition().unique_x < 1e-12


def test_low_temperatures_do_not_overflow():
    """exp of logits in the thousands would; the published softmax does not subtract their maximum."""
    cold = RUSModel(4, temperature=1e-3)
    # Four terms, each rounded once, in a sum.
    assert np.abs(cold.label_law.sum(axis=-1) - 1).max() <= 8 * problems.U
    assert cold.information.information_joint > RUSModel(4).information.information_joint
    assert cold.information.bayes_accuracy_joint > 0.98


# Draws ---------------------------------------------------------------------------------------------------------------


def test_rows_show_the_bits_of_their_indices():
    drawn = RUSModel(4).sample(500, 3)
    for view, own in ((drawn.X, drawn.unique_x), (drawn.Y, drawn.unique_y)):
        assert view.shape == (500, 12)
        assert np.array_equal(view @ 2.0 ** np.arange(11, -1, -1), (drawn.shared << 4) + own)
        assert set(np.unique(view)) == {0.0, 1.0}


@pytest.mark.parametrize("n_redundant", [0, 3, 8])
def test_labels_follow_their_law(n_redundant):
    """Every count is within 6 standard errors: of 1024 Gaussian counts one is beyond with probability 2e-6."""
    model, n = RUSModel(n_redundant, temperature=0.3), 200_000
    drawn = model.sample(n, 0)
    cell = np.zeros(n, int)
    views = ((drawn.X, 0), (drawn.X, 8), (drawn.Y, 8))
    for (view, first), columns in zip(views, model.relevant_features, strict=True):
        for column in columns:
            cell = 2 * cell + view[:, first + column].astype(int)
    counts = np.zeros((256, 4))
    np.add.at(counts, (cell, drawn.labels), 1)
    law = model.label_law.reshape(256, 4) / 256
    assert np.abs(counts - n * law).max(where=law > 0, initial=0) > 0
    assert (np.abs(counts - n * law) <= 6 * np.sqrt(n * law * (1 - law)) + 1).all()


def test_bayes_classifier_reaches_the_bayes_accuracy():
    model, n = RUSModel(2), 100_000
    drawn = model.sample(n, 1)
    shared, own, _ = model.relevant_features
    seen = drawn.X[:, [*shared, *(8 + column for column in own)]]
    by_pattern = model.label_law.mean(axis=2).reshape(-1, 4)
    predicted = by_pattern[(seen @ 2.0 ** np.arange(seen.shape[1] - 1, -1, -1)).astype(int)].argmax(axis=1)
    expected = model.information.bayes_accuracy_x
    assert abs((predicted == drawn.labels).mean() - expected) <= 5 * math.sqrt(expected * (1 - expected) / n)


def test_draws_of_bits_do_not_depend_on_the_redundancy():
    few, many = RUSModel(1).sample(1000, 5), RUSModel(7).sample(1000, 5)
    assert np.array_equal(few.X, many.X)
    assert np.array_equal(few.Y, many.Y)
    assert (few.labels != many.labels).any()
    other = RUSModel(1).sample(1000, 6)
    assert (few.X != other.X).any()


def test_seeds_and_generators_mean_the_same():
    model = RUSModel(4)
    by_seed, by_generator = model.sample(100, 8), model.sample(100, np.random.default_rng(8))
    assert np.array_equal(by_seed.X, by_generator.X)
    assert np.array_equal(by_seed.labels, by_generator.labels)


def test_bytes_do_not_depend_on_threads(run_python):
    script = """
import hashlib, crossphase
model = crossphase.RUSModel(4)
transforms = crossphase.FeatureTransforms(3, "multi", shape="width")
parts = model.splits(4000, transforms=transforms)
digest = hashlib.sha256()
for part in (parts.train, parts.valid, parts.test):
    digest.update(part.X.tobytes() + part.Y.tobytes() + part.labels.tobytes())
digest.update(repr(model.decomposition()).encode())
print(digest.hexdigest())
"""
    digests = {run_python(script, OPENBLAS_NUM_THREADS=n, CROSSPHASE_NUM_THREADS=n).stdout for n in ("1", "2")}
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64


# Splits --------------------------------------------------------------------------------------------------------------


def inputs_of(part):
    return set(zip(part.shared, part.unique_x, strict=True)), set(zip(part.shared, part.unique_y, strict=True))


@pytest.mark.parametrize("split", ["rows", "inputs"])
@pytest.mark.parametrize("transforms", [None, FeatureTransforms(2, "multi")])
def test_splits_cut_one_sample_and_standardise_by_train(split, transforms):
    model = RUSModel(4)
    parts = model.splits(5000, 2, split=split, transforms=transforms)
    whole = model.sample(5000, 2, transforms=transforms)
    rows = [tuple(row) for part in (parts.train, parts.valid, parts.test) for row in _identities(part)]
    assert sorted(rows) == sorted(tuple(row) for row in _identities(whole))
    for view in ("X", "Y"):
        train, mean, deviation = getattr(parts.train, view), 0.0, 1.0
        # Sums of 3500 terms of deviation 1 by columns that were of magnitude up to 1e2 deviations.
        assert np.abs(train.mean(axis=0) - mean).max() <= 5000 * 100 * problems.U
        assert np.abs(train.std(axis=0) - deviation).max() <= 5000 * 100 * problems.U
        # Test went through the same map: it is the standardised whole, looked up by input.
        of_whole = getattr(whole, view)
        slope = np.array([np.polyfit(of_whole[:, c], _mapped(parts, whole, view, c), 1)[0] for c in range(12)])
        assert (slope > 0).all()


def _identities(part):
    return np.column_stack([part.shared, part.unique_x, part.unique_y, part.labels])


def _mapped(parts, whole, view, column):
    """The standardised value of every row of `whole`, from any part that holds its input."""
    own = "unique_x" if view == "X" else "unique_y"
    table = np.full(2**12, np.nan)
    for part in (parts.train, parts.valid, parts.test):
        table[(part.shared << 4) + getattr(part, own)] = getattr(part, view)[:, column]
    return table[(whole.shared << 4) + getattr(whole, own)]


def test_rows_are_split_by_class():
    model = RUSModel(4)
    parts, whole = model.splits(5001, 4), model.sample(5001, 4)
    counts = np.array([np.bincount(part.labels, minlength=4) for part in (parts.train, parts.valid, parts.test)])
    n = np.bincount(whole.labels, minlength=4)
    assert np.array_equal(counts.sum(axis=0), n)
    assert (np.abs(counts[0] - 0.7 * n) <= 0.5).all()
    assert (np.abs(counts[1] - 0.15 * n) <= 1).all()


def test_published_split_repeats_inputs_and_the_other_does_not():
    model = RUSModel(4)
    by_rows, by_inputs = model.splits(20_000, 0), model.splits(20_000, 0, split="inputs")
    for view in (0, 1):
        seen, tested = inputs_of(by_rows.train)[view], inputs_of(by_rows.test)[view]
        assert len(tested - seen) < 0.05 * len(tested)
        for held_out in (by_inputs.valid, by_inputs.test):
            assert not inputs_of(by_inputs.train)[view] & inputs_of(held_out)[view]
    assert abs(len(by_inputs.train.labels) / 20_000 - 0.7) < 0.02


def test_constant_columns_become_zero():
    """Seven rows can hold a constant bit; 0 / 0 would be NaN."""
    parts = RUSModel(1, n_relevant=1, n_shared_features=1, n_unique_features=0, n_classes=2).splits(
        40, 0, transforms=FeatureTransforms(100)
    )
    assert np.isfinite(parts.train.Y).all()


# Transforms ----------------------------------------------------------------------------------------------------------

BITS = ((np.arange(2**12)[:, None] >> np.arange(12)) & 1).astype(float)


DESIGN = np.hstack([BITS, np.ones((len(BITS), 1))])
DESIGN_INVERSE = np.linalg.pinv(DESIGN)


def affine_fit(values):
    weights = DESIGN_INVERSE @ values
    return weights, np.abs(values - DESIGN @ weights).max()


def test_no_depth_is_one_linear_layer_of_torchs_law():
    entries = []
    for seed in range(40):
        weights, error = affine_fit(FeatureTransforms(0, seed=seed).transform_y(BITS))
        assert error < 1e-12
        entries.append(weights)
    entries = np.array(entries) * math.sqrt(12)
    assert np.abs(entries).max() <= 1 + 1e-12
    # Uniform on (-1, 1): mean 0, mean square 1/3, fourth moment 1/5; 40 * 13 * 12 draws, 5 standard errors.
    n = entries.size
    assert abs(entries.mean()) <= 5 * math.sqrt(1 / 3 / n)
    assert abs((entries**2).mean() - 1 / 3) <= 5 * math.sqrt((1 / 5 - 1 / 9) / n)


@pytest.mark.parametrize("shape", ["depth", "width"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_networks_are_nonlinear_bounded_and_of_the_views_width(shape, activation):
    values = FeatureTransforms(3, shape=shape, activation=activation).transform_y(BITS)
    assert values.shape == BITS.shape
    assert affine_fit(values)[1] > 1e-4
    # The last layer has fan_in f, |activation| <= 1, weights and bias of at most f^-1/2.
    fan_in = 12 if shape == "depth" else 12 * 9
    assert np.abs(values).max() <= (fan_in + 1) / math.sqrt(fan_in)


def test_heterogeneity_says_which_views_change():
    raw = RUSModel(4).sample(200, 0)
    uni = RUSModel(4).sample(200, 0, transforms=FeatureTransforms(2))
    multi = RUSModel(4).sample(200, 0, transforms=FeatureTransforms(2, "multi"))
    assert np.array_equal(uni.X, raw.X)
    assert np.array_equal(uni.Y, multi.Y)
    for view in (uni.Y, multi.X):
        assert not np.isin(view, (0.0, 1.0)).any()
    same_network = FeatureTransforms(2).transform_y(BITS)
    assert (FeatureTransforms(2, "multi").transform_x(BITS) != same_network).all()
    assert (FeatureTransforms(3).transform_y(BITS) != same_network).all()
    assert (FeatureTransforms(2, seed=1).transform_y(BITS) != same_network).all()
    assert np.array_equal(raw.labels, multi.labels)


# Bad input -----------------------------------------------------------------------------------------------------------

MODELS = [
    ({"n_redundant": 9}, InputValueError, "n_redundant must be at most 8; got 9"),
    ({"n_redundant": -1}, InputValueError, "n_redundant must be at least 0; got -1"),
    ({"n_redundant": 2.0}, InputTypeError, "n_redundant must be an integer"),
    ({"n_redundant": True}, InputTypeError, "n_redundant must be an integer"),
    ({"n_redundant": 4, "temperature": 0}, InputValueError, "temperature must be a finite number >= 1e-300; got 0"),
    (
        {"n_redundant": 4, "temperature": math.nan},
        InputValueError,
        "temperature must be a finite number >= 1e-300; got nan",
    ),
    ({"n_redundant": 4, "n_classes": 1}, InputValueError, "n_classes must be at least 2; got 1"),
    ({"n_redundant": 4, "weights_seed": -1}, InputValueError, "weights_seed must be at least 0"),
    ({"n_redundant": 4, "features_seed": 2**32}, InputValueError, "features_seed must be at most 4294967295"),
    ({"n_redundant": 4, "n_relevant": 17}, InputValueError, "n_relevant must be at most 16; got 17"),
    ({"n_redundant": 8, "n_shared_features": 7}, InputValueError, "at most n_shared_features; got 8 and 7"),
    ({"n_redundant": 0, "n_unique_features": 3}, InputValueError, "leaves 4 \\+ 4 .*n_unique_features=3. Raise"),
    ({"n_redundant": 8, "n_shared_features": 14}, InputValueError, "from 1 to 16; got 14 \\+ 4"),
]


@pytest.mark.parametrize(("arguments", "error", "sentence"), MODELS)
def test_impossible_models(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        RUSModel(**arguments)


def test_no_class_is_lost_at_the_lowest_temperatures():
    """Balancing divides by class probabilities; the pattern without a bit keeps each above 0."""
    for seed in range(5):
        found = RUSModel(8, n_classes=6, temperature=1e-300 if seed == 0 else 1e-4, weights_seed=seed).information
        assert min(found.class_probabilities) > 0
        assert math.isfinite(found.information_joint)


def test_joint_probabilities_that_would_not_fit():
    model = RUSModel(14, n_relevant=14, n_shared_features=14, n_unique_features=0)
    assert model.information.information_x == pytest.approx(model.information.information_joint)
    with pytest.raises(InputValueError, match=r"n_relevant=14 .* shape \(16384, 16384, 4\), .*lower n_relevant"):
        model.decomposition()


SAMPLES = [
    ({"n_samples": 0}, InputValueError, "n_samples must be at least 1"),
    ({"n_samples": 10.0}, InputTypeError, "n_samples must be an integer"),
    ({"rng": -1}, InputValueError, "rng must be at least 0 where it is a seed; got -1"),
    ({"rng": "0"}, InputTypeError, "rng must be a seed .* or a numpy.random.Generator; got '0'"),
    ({"rng": None}, InputTypeError, "rng must be a seed"),
    ({"transforms": 3}, InputTypeError, "transforms must be a FeatureTransforms or None; got int"),
]


@pytest.mark.parametrize("method", ["sample", "splits"])
@pytest.mark.parametrize(("arguments", "error", "sentence"), SAMPLES)
def test_impossible_draws(method, arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        getattr(RUSModel(4), method)(**arguments)


def test_splits_that_would_be_empty():
    with pytest.raises(InputValueError, match=r"would have no rows \(train \+ valid \+ test: .*draw more rows"):
        RUSModel(4).splits(2)
    no_shared = RUSModel(0, n_relevant=2, n_shared_features=0)
    with pytest.raises(InputValueError, match=r'raise n_shared_features \(1 patterns .*split="rows"'):
        no_shared.splits(100, split="inputs")
    with pytest.raises(InputValueError, match="split must be one of rows, inputs; got 'columns'"):
        RUSModel(4).splits(100, split="columns")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"depth": -1}, "depth must be at least 0"),
        ({"depth": 1.5}, "depth must be an integer"),
        ({"depth": 31, "shape": "width"}, "depth must be at most 30; got 31"),
        ({"depth": 1, "heterogeneity": "both"}, "heterogeneity must be one of uni, multi; got 'both'"),
        ({"depth": 1, "shape": "tall"}, "shape must be one of depth, width"),
        ({"depth": 1, "activation": "relu"}, "activation must be one of tanh, sigmoid"),
        ({"depth": 1, "seed": -3}, "seed must be at least 0"),
    ],
)
def test_impossible_transforms(arguments, sentence):
    with pytest.raises((InputValueError, InputTypeError), match=sentence):
        FeatureTransforms(**arguments)

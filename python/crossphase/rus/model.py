"""The RUS model: binary features, which of them the labels depend on, and the information that follows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crossphase._scalars import check_choice, check_integer, check_number
from crossphase.errors import InputTypeError, InputValueError
from crossphase.information import InformationDecomposition, information_decomposition, mutual_information
from crossphase.rus.samples import (
    RUSSample,
    RUSSplits,
    Split,
    as_generator,
    bits_of,
    require_rows,
    split_inputs,
    split_rows,
    standardise,
)
from crossphase.rus.transforms import FeatureTransforms

_MOST_FEATURES = 16  # of a view, and relevant ones: tables have 2^16 rows
_MOST_CLASSES = 256
_MOST_PMF_ENTRIES = 2**26  # 512 MiB
_LEAST_TEMPERATURE = 1e-300  # logits, at most _MOST_FEATURES / temperature, stay finite
_MOST_BALANCING_ROUNDS, _BALANCE = 100, 0.01  # published; rounds end when every class is within 1 % point of its share
_RELATIVE_BALANCE = 1e-5  # of that share on top: NumPy's default in the published `allclose`
_N_PUBLISHED_SAMPLES = 65_536


@dataclass(frozen=True, slots=True)
class RUSInformation:
    """Exact information about the labels, in nats, and the accuracies of the best possible classifiers."""

    information_x: float  # I(X; labels)
    information_y: float  # I(Y; labels)
    information_joint: float  # I(X, Y; labels)
    information_shared: float  # I(shared bits; labels)
    information_between_views: float  # I(X; Y)
    co_information: float  # information_x + information_y - information_joint
    bayes_accuracy_x: float  # of the best classifier that sees X; in [0, 1]
    bayes_accuracy_y: float
    bayes_accuracy_joint: float
    class_probabilities: tuple[float, ...]  # (n_classes,), after balancing
    n_balancing_rounds: int


@dataclass(frozen=True, slots=True, eq=False)
class _LabelLaw:
    """p(label | relevant bits) after balancing."""

    probabilities: np.ndarray  # (2^n_redundant, 2^n_unique_x, 2^n_unique_y, n_classes)
    n_rounds: int


@dataclass(frozen=True)
class RUSModel:
    """Pairs of binary views and labels that depend on redundant features, which both views have, and on unique ones.

    ``X = [shared, unique_x]`` and ``Y = [shared, unique_y]`` are independent fair bits, the shared ones the same in both. The
    labels depend on `n_relevant` of them: `n_redundant` shared ones, and the rest divided between the views, Y taking the odd
    one: ``p(label | bits) = softmax(relevant bits @ weights / temperature)``, then balanced over classes
    as published: at most 100 rounds, until every class is within .01 of its share (`information` tells what was reached).

    Parameters
    ----------
    n_redundant : int, 0 to `n_relevant`
        R of Tjandrasuwita et al.; U = n_relevant - R features are unique, ``U // 2`` of them X's.
    n_relevant, n_shared_features, n_unique_features, n_classes : int
        Published: 8, 8, 4 (in each view) and 4. A view has at most 16 features, and at most 16 are relevant.
    temperature : float, >= 1e-300
        Published: .05, the first of ``.05 exp(linspace(0, 2, 10))``.
    features_seed, weights_seed : int, 0 to 2^32 - 1
        Which features are relevant, and their weights. Streams of NumPy's legacy ``RandomState``, as in the published code: the
        defaults give the published features and weights to the last digit.

    Notes
    -----
    All informations are exact sums over the relevant bits: the others are independent of the labels and of everything else.

    R is redundancy *by construction*, a number of features, not redundancy in the sense of partial information, which
    `decomposition` computes. At R = 0 (I(X; labels) = .3669, I(Y; labels) = .4733 nats) no relevant feature is shared and
    I(shared; labels) = 0, yet redundancy is .2728 nats and synergy .5914 (their difference, -.3186, is the co-information);
    at R = 4 they are .4707 and .1811; at R = 8 all is redundant. Unimodal accuracy is capped by `information`.

    With the published sizes there are only 2^12 distinct inputs in each view, so among 65 536 rows practically every test input
    occurs in train (about 11 times): the published test set measures label noise, not generalisation. ``split="inputs"`` of
    `splits` holds out inputs instead.

    References
    ----------
    Tjandrasuwita, Ekbote, Ziyin & Liang (2025), "Understanding the Emergence of Multimodal Representation Alignment", ICML.
    """

    n_redundant: int
    n_relevant: int = 8
    n_shared_features: int = 8
    n_unique_features: int = 4
    n_classes: int = 4
    temperature: float = 0.05
    features_seed: int = 1
    weights_seed: int = 2

    def __post_init__(self) -> None:
        check_integer(self.n_relevant, "n_relevant", least=1, most=_MOST_FEATURES)
        check_integer(self.n_redundant, "n_redundant", least=0, most=self.n_relevant)
        check_integer(self.n_shared_features, "n_shared_features", least=0, most=_MOST_FEATURES)
        check_integer(self.n_unique_features, "n_unique_features", least=0, most=_MOST_FEATURES)
        check_integer(self.n_classes, "n_classes", least=2, most=_MOST_CLASSES)
        check_number(self.temperature, "temperature", least=_LEAST_TEMPERATURE)
        for name in ("features_seed", "weights_seed"):
            check_integer(getattr(self, name), name, least=0, most=2**32 - 1)
        if not 1 <= self.n_features <= _MOST_FEATURES:
            raise InputValueError(
                f"n_shared_features + n_unique_features must be from 1 to {_MOST_FEATURES}; got {self.n_shared_features} + "
                f"{self.n_unique_features}."
            )
        if self.n_redundant > self.n_shared_features:
            raise InputValueError(
                f"n_redundant must be at most n_shared_features; got {self.n_redundant} and {self.n_shared_features}."
            )
        if self.n_relevant_y > self.n_unique_features:
            raise InputValueError(
                f"n_redundant={self.n_redundant} of n_relevant={self.n_relevant} leaves {self.n_relevant_x} + "
                f"{self.n_relevant_y} relevant features to be unique, but a view has n_unique_features="
                f"{self.n_unique_features}. Raise n_redundant or n_unique_features, or lower n_relevant."
            )

    @property
    def n_features(self) -> int:
        """Features of each view."""
        return self.n_shared_features + self.n_unique_features

    @property
    def n_relevant_x(self) -> int:
        """Relevant features that X alone has."""
        return (self.n_relevant - self.n_redundant) // 2

    @property
    def n_relevant_y(self) -> int:
        """Relevant features that Y alone has."""
        return self.n_relevant - self.n_redundant - self.n_relevant_x

    @cached_property
    def relevant_features(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Columns, in the order of the weights, of the relevant shared features, of X's own (counted from 0) and of Y's own.

        With one seed, those of a smaller `n_redundant` begin those of a larger.
        """
        stream = np.random.RandomState(self.features_seed)
        sizes = (self.n_shared_features, self.n_unique_features, self.n_unique_features)
        counts = (self.n_redundant, self.n_relevant_x, self.n_relevant_y)
        # Of no features nothing can be drawn, and legacy `choice` says so by an error.
        drawn = [
            stream.choice(n, k, replace=False) if n else np.zeros(0, int) for n, k in zip(sizes, counts, strict=True)
        ]
        shared, x, y = (tuple(int(column) for column in columns) for columns in drawn)
        return shared, x, y

    @cached_property
    def weights(self) -> np.ndarray:
        """Logits of each relevant feature, (n_relevant, n_classes), rows of length 1; read-only."""
        weights = np.random.RandomState(self.weights_seed).uniform(0, 1, (self.n_relevant, self.n_classes))
        weights /= np.linalg.norm(weights, axis=1, keepdims=True)
        weights.setflags(write=False)
        return weights

    @property
    def label_law(self) -> np.ndarray:
        """p(label | relevant bits), shape (2^n_redundant, 2^n_relevant_x, 2^n_relevant_y, n_classes); read-only.

        Bits of an index are relevant features, in the order of `relevant_features`, from most to least significant.
        """
        return self._label_law.probabilities

    @cached_property
    def _label_law(self) -> _LabelLaw:
        counts = (self.n_redundant, self.n_relevant_x, self.n_relevant_y)
        ends = np.cumsum(counts)
        shared, x, y = (
            bits_of(count) @ self.weights[end - count : end] for count, end in zip(counts, ends, strict=True)
        )
        logits = (shared[:, None, None] + x[:, None] + y) / self.temperature
        law = np.exp(logits - logits.max(axis=-1, keepdims=True))
        law /= law.sum(axis=-1, keepdims=True)
        even = 1 / self.n_classes
        n_rounds = 0
        classes = law.mean(axis=(0, 1, 2))
        while (
            n_rounds < _MOST_BALANCING_ROUNDS and (np.abs(classes - even) > _BALANCE + _RELATIVE_BALANCE * even).any()
        ):
            law *= even / classes  # no class is lost: where all relevant bits are 0, all have the same logit
            law /= law.sum(axis=-1, keepdims=True)
            classes = law.mean(axis=(0, 1, 2))
            n_rounds += 1
        law.setflags(write=False)
        return _LabelLaw(law, n_rounds)

    @cached_property
    def information(self) -> RUSInformation:
        """Exact mutual informations and Bayes accuracies."""
        law = self.label_law
        seen_by = {
            "joint": law.reshape(-1, self.n_classes),
            "x": law.mean(axis=2).reshape(-1, self.n_classes),
            "y": law.mean(axis=1).reshape(-1, self.n_classes),
            "shared": law.mean(axis=(1, 2)),
        }
        nats = {name: mutual_information(seen / len(seen)) for name, seen in seen_by.items()}
        accuracy = {name: float(seen.max(axis=1).mean()) for name, seen in seen_by.items()}
        return RUSInformation(
            information_x=nats["x"],
            information_y=nats["y"],
            information_joint=nats["joint"],
            information_shared=nats["shared"],
            information_between_views=self.n_shared_features * math.log(2),
            co_information=nats["x"] + nats["y"] - nats["joint"],
            bayes_accuracy_x=accuracy["x"],
            bayes_accuracy_y=accuracy["y"],
            bayes_accuracy_joint=accuracy["joint"],
            class_probabilities=tuple(float(p) for p in law.mean(axis=(0, 1, 2))),
            n_balancing_rounds=self._label_law.n_rounds,
        )

    def relevant_pmf(self) -> np.ndarray:
        """Joint probabilities of what X and Y show of the relevant bits and of the label: sufficient for every information.

        Returns
        -------
        array, shape (2^(n_redundant + n_relevant_x), 2^(n_redundant + n_relevant_y), n_classes)
            The shared bits are the more significant ones of either index; where they differ, the probability is 0.

        Raises
        ------
        InputValueError
            It would have more than 2^26 entries.
        """
        n_shared, n_x, n_y, n_classes = self.label_law.shape
        shape = (n_shared * n_x, n_shared * n_y, n_classes)
        if math.prod(shape) > _MOST_PMF_ENTRIES:
            raise InputValueError(
                f"the joint probabilities of n_relevant={self.n_relevant} relevant bits would have shape {shape}, more than "
                f"{_MOST_PMF_ENTRIES} entries; lower n_relevant or n_redundant."
            )
        pmf = np.zeros((n_shared, n_x, n_shared, n_y, n_classes))
        both = np.arange(n_shared)
        pmf[both, :, both] = self.label_law / (n_shared * n_x * n_y)
        return pmf.reshape(shape)

    def decomposition(self, *, tolerance: float = 1e-8) -> InformationDecomposition:
        """Partial information decomposition of the labels by X and Y; see `crossphase.information_decomposition`.

        Notes
        -----
        A second or two at the published sizes where R = 6, less elsewhere. This is not the construction: see the class's notes.
        """
        return information_decomposition(self.relevant_pmf(), tolerance=tolerance)

    def sample(
        self,
        n_samples: int = _N_PUBLISHED_SAMPLES,
        rng: int | np.random.Generator = 0,
        *,
        transforms: FeatureTransforms | None = None,
    ) -> RUSSample:
        """Draw rows.

        Parameters
        ----------
        n_samples : int, >= 1
        rng : int or numpy.random.Generator
            The bits are drawn first, then one number a label: with the same seed, models that differ in `n_redundant`,
            temperature or weights get the same bits, as in the published data, and labels as alike as their laws allow. The
            published draws themselves are of another stream.
        transforms : FeatureTransforms, optional
            Default: X and Y are the bits, 0.0 and 1.0.
        """
        n = check_integer(n_samples, "n_samples", least=1)
        indices, labels = self._draw(n, as_generator(rng))
        return self._assemble(indices, labels, *self._tables(transforms))

    def splits(
        self,
        n_samples: int = _N_PUBLISHED_SAMPLES,
        rng: int | np.random.Generator = 0,
        *,
        transforms: FeatureTransforms | None = None,
        split: str = "rows",
    ) -> RUSSplits:
        """Draw rows and cut them into 70 % train, 15 % valid and 15 % test, standardised by train.

        Parameters
        ----------
        n_samples, rng, transforms
            As for `sample`: the rows are the same. One seed gives one split whatever the transforms; the published ones differ.
        split : {"rows", "inputs"}
            rows: as published, every class in the same shares. inputs: 70, 15 and 15 % of the patterns of the shared bits, so
            that no value of X, nor of Y, in valid or test occurs in train; classes are then as the patterns have them.

        Raises
        ------
        InputValueError
            A part would be empty.
        """
        n = check_integer(n_samples, "n_samples", least=1)
        kind = check_choice(split, "split", Split)
        generator = as_generator(rng)
        indices, labels = self._draw(n, generator)
        n_patterns = 2**self.n_shared_features
        if kind is Split.ROWS:
            parts = split_rows(labels, self.n_classes, generator)
        else:
            parts = split_inputs(indices[0], n_patterns, generator)
        require_rows(parts, kind, n_patterns)
        train = tuple(index[parts[0]] for index in indices)
        inputs = self._inputs(train)
        tables = [
            standardise(table, np.bincount(values, minlength=len(table)))
            for table, values in zip(self._tables(transforms), inputs, strict=True)
        ]
        return RUSSplits(
            *(self._assemble(tuple(index[rows] for index in indices), labels[rows], *tables) for rows in parts)
        )

    def _draw(self, n_samples: int, rng: np.random.Generator) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Indices of the shared, X's and Y's bits, and labels, each (n_samples,)."""
        sizes = (self.n_shared_features, self.n_unique_features, self.n_unique_features)
        indices = tuple(rng.integers(2**size, size=n_samples) for size in sizes)
        thresholds = np.cumsum(self.label_law, axis=-1).reshape(-1, self.n_classes)
        cells = np.zeros(n_samples, dtype=np.int64)
        for index, size, columns in zip(indices, sizes, self.relevant_features, strict=True):
            relevant = bits_of(size)[:, list(columns)]
            pattern = relevant @ (2.0 ** np.arange(len(columns) - 1, -1, -1))
            cells = (cells << len(columns)) + pattern.astype(np.int64)[index]
        uniform = rng.random(n_samples)
        labels = np.zeros(n_samples, dtype=np.int64)
        for label in range(self.n_classes - 1):
            labels += uniform >= thresholds[cells, label]
        return indices, labels

    def _inputs(self, indices: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Index of each row's X and of its Y among the 2^n_features patterns a view can have."""
        shared, unique_x, unique_y = indices
        return (shared << self.n_unique_features) | unique_x, (shared << self.n_unique_features) | unique_y

    def _tables(self, transforms: FeatureTransforms | None) -> tuple[np.ndarray, np.ndarray]:
        """X and Y of every pattern: far fewer than rows, so transforms are applied to patterns."""
        patterns = bits_of(self.n_features)
        if transforms is None:
            return patterns, patterns
        if not isinstance(transforms, FeatureTransforms):
            raise InputTypeError(f"transforms must be a FeatureTransforms or None; got {type(transforms).__name__}.")
        return transforms.transform_x(patterns), transforms.transform_y(patterns)

    def _assemble(
        self, indices: tuple[np.ndarray, ...], labels: np.ndarray, table_x: np.ndarray, table_y: np.ndarray
    ) -> RUSSample:
        input_x, input_y = self._inputs(indices)
        return RUSSample(table_x[input_x], table_y[input_y], labels, *indices)

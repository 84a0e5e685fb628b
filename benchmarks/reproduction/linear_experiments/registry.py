"""All experiments by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from matplotlib.figure import Figure

from linear_experiments import figures
from linear_experiments.bottlenecks import run_hard_bottleneck, run_many_views, run_soft_bottleneck
from linear_experiments.contrastive import run_contrastive
from linear_experiments.estimation import run_estimation
from linear_experiments.failure import run_failure, run_probe_errors
from linear_experiments.findings import Finding
from linear_experiments.interpolation import run_interpolation
from linear_experiments.partial_recovery import run_partial_recovery
from linear_experiments.separation import run_separation
from linear_experiments.settings import Settings


class Result(Protocol):
    """A frozen dataclass of arrays and numbers."""

    def findings(self) -> list[Finding]: ...


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment: what it asks, how it runs, how it is drawn, and how its numbers are to be read."""

    question: str
    run: Callable[[Settings], Result]
    draw: Callable[[Any], Figure]
    reading: str


EXPERIMENTS = {
    "E1": Experiment(
        "How many canonical correlations are nonzero when a rank is limited?",
        run_hard_bottleneck,
        figures.hard_bottleneck,
        "Holds: as many as the smallest of the two views' ranks and their shared rank.",
    ),
    "E1_multi": Experiment(
        "And with N views, each paired with the first?",
        run_many_views,
        figures.many_views,
        "Holds in both panels. Panel (a) is described in the published code and never run there.",
    ),
    "E2": Experiment(
        "How large must encoders be when the weakest correlation is small?",
        run_soft_bottleneck,
        figures.soft_bottleneck,
        "Holds for the population, and for every sample with its own weakest correlation. A sample's encoders are far"
        " smaller than the *population's* bound once φ₃ sinks into the noise of sample correlations: the bound is no "
        "lower limit on what one measures from data.",
    ),
    "E3": Experiment(
        "Do samples show the separation ratios of theory?",
        run_separation,
        figures.separation,
        "The paper says that they agree closely throughout; they do not. The ratio of the k-th to the next sample "
        "singular value (i) cannot fall below 1, so it cannot show that recovery fails (γ̃_y = .1); and (ii) has the "
        "*largest* of 17 noisy nuisance values in its denominator: independent noise alone gives correlations up to "
        "(√17 + √20) / √n = .12, and gains √γ̃_y times that, which at γ̃_y = 100 is more than the nuisance itself (ν "
        "= .05, ξ = .5).",
    ),
    "E4": Experiment(
        "At which nuisance correlation do alignment and prediction fail?",
        run_failure,
        figures.failure,
        "The thresholds of theory hold on population covariances. Samples fail *earlier*, prediction much earlier: "
        "below the threshold noise of variance γ̃_y already lifts nuisance gains over the weakest signal gain. The "
        "published figure shows this too; its ν ≈ .15 for prediction is the sample's failure, not the threshold.",
    ),
    "E5": Experiment(
        "Does a lower prediction error mean the right subspace?",
        run_probe_errors,
        figures.probe_errors,
        "Holds: prediction has the lower error of all of Y and the wrong subspace. Errors against the signal exceed "
        "the signal's own variance (15.25) because predicted nuisance counts against it. The dotted lines are exact "
        "values of the population; beyond CA's threshold CA + probe predicts nuisance as well.",
    ),
    "E6": Experiment(
        "Does the joint objective lead from prediction to alignment?",
        run_interpolation,
        figures.interpolation,
        "Holds; the ends are CP and CA to rounding. As λ grows the joint optimum predicts worse and aligns better, "
        "always.",
    ),
    "E7": Experiment(
        "How many directions are recovered (squared overlap of .8 or more), and is that theory's count?",
        run_partial_recovery,
        figures.partial_recovery,
        "Graded for b < 1, sharp for b = 1, as published. At n = 5000 counts fall short of theory near every "
        "boundary, and for weak signals even far from nuisance: theory needs ρ > ν, a sample needs ρ above its noise "
        "as well. They hardly ever exceed it.",
    ),
    "E8": Experiment(
        "Does the published experiment's estimator find κ and ν?",
        run_estimation,
        figures.estimation,
        "In part. What is called κ̂ estimates κ², and the published figure compares it with κ². It is too large where"
        " κ² is close to the nuisance covariance η = ν √50, since singular vectors mix there and the value found is "
        "nuisance's. ν̂ is the largest of 17 noisy correlations: too large everywhere, by a factor above 2 at the "
        "weak end. This estimator is not the paper's Algorithm 1.",
    ),
    "InfoNCE": Experiment(
        "Does InfoNCE fail where alignment fails?",
        run_contrastive,
        figures.contrastive,
        "No numbers were published. The criterion, distance above .5, means *two* of three directions lost; in the "
        "population CA meets it at ν = .937, CP at ν = .267. Batches, initial weights and what the patience looks at "
        "(the batch loss) are our choices.",
    ),
}

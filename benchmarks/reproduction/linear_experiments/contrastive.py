"""InfoNCE against CA: does the nuisance correlation at which alignment fails carry over to contrastive training?"""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from crossphase import cross_moments
from linear_experiments.failure import K, fit_alignment, fit_prediction, spiked_model
from linear_experiments.findings import Finding, over_seeds
from linear_experiments.info_nce import TrainingOptions, train
from linear_experiments.settings import Settings
from linear_experiments.subspaces import subspace_distance

TEMPERATURES = (0.05, 0.1, 0.5)
FAILED_FROM = 0.5  # distance; at 1 / K a direction, two directions from 2 / K: this fails on the second of three


@dataclass(frozen=True, slots=True, eq=False)
class Contrastive:
    """Distance of the recovered subspace of X from the signal's; (n_seeds, n_nus), InfoNCE (n_temperatures, ...)."""

    nu: np.ndarray
    temperatures: np.ndarray
    distance_info_nce: np.ndarray
    distance_ca: np.ndarray  # on the same samples
    distance_cp: np.ndarray
    n_steps: np.ndarray  # (n_temperatures, n_seeds, n_nus): of training

    def findings(self) -> list[Finding]:
        return [
            *(
                Finding(
                    f"ν of failure (distance > .5), InfoNCE at temperature {temperature:g}",
                    *over_seeds(first_failure(self.nu, distances)),
                )
                for temperature, distances in zip(self.temperatures, self.distance_info_nce, strict=True)
            ),
            Finding("ν of failure, CA", *over_seeds(first_failure(self.nu, self.distance_ca))),
            Finding("ν of failure, CP", *over_seeds(first_failure(self.nu, self.distance_cp))),
            Finding("steps of a training", float(self.n_steps.mean()), float(self.n_steps.std())),
        ]


def first_failure(nu: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """For each seed the first ν of the grid with a distance above .5; 1 where there is none."""
    failed = distances > FAILED_FROM
    return np.where(failed.any(axis=-1), nu[failed.argmax(axis=-1)], 1.0)


def run_contrastive(settings: Settings) -> Contrastive:
    nus = settings.thin(np.linspace(0.0, 0.95, 15))
    jobs = [(seed, float(nu)) for seed in range(settings.n_seeds_info_nce) for nu in nus]
    measure = partial(distances_at, settings=settings)
    if settings.n_processes == 1:
        rows = [measure(job) for job in jobs]
    else:
        # spawn: a forked child would inherit locks of BLAS threads that it does not have
        with ProcessPoolExecutor(settings.n_processes, multiprocessing.get_context("spawn")) as pool:
            rows = list(pool.map(measure, jobs))
    shape = (settings.n_seeds_info_nce, len(nus))
    n = len(TEMPERATURES)
    columns = [np.reshape(column, shape) for column in np.array(rows).T]
    return Contrastive(
        nus, np.array(TEMPERATURES), np.array(columns[:n]), columns[n], columns[n + 1], np.array(columns[n + 2 :])
    )


def distances_at(job: tuple[int, float], settings: Settings) -> list[float]:
    """Distances of InfoNCE at every temperature, of CA, of CP; then the numbers of training steps."""
    seed, nu = job
    model = spiked_model(nu, seed)
    with threadpool_limits(1):  # a process is one core's worth
        sample = model.sample(settings.n_samples, seed, dtype=np.float32, n_threads=1)
        moments = cross_moments(sample.X, sample.Y)
        fitted = []
        for index, temperature in enumerate(TEMPERATURES):
            options = TrainingOptions(temperature, n_steps=settings.n_steps_info_nce)
            fitted.append(train(sample.X, sample.Y, K, options, np.random.default_rng([seed, index])))
        all_weights = [
            *(one.weights_x for one in fitted),
            *(fit(moments).weights_x_ for fit in (fit_alignment, fit_prediction)),
        ]
        distances = [float(subspace_distance(weights, model.signal_basis_x)) for weights in all_weights]
    return [*distances, *(float(one.n_steps) for one in fitted)]

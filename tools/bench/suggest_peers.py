"""Ax, BoTorch and Optuna behind one interface, for suggest.py, all left at their own defaults.

`tell(point, values)` takes a result from elsewhere; `ask()` suggests: (handle, point); `answer(handle, point, values)`
tells what came of it.
"""

import logging
import warnings

import optuna
import torch
from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.optim import optimize_acqf
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from botorch.utils.multi_objective.pareto import is_non_dominated
from gpytorch.mlls import SumMarginalLogLikelihood

import suggest_bed as bed


class Ax:
    """Its client with the generation strategy "fast"; what is told counts as its initial points."""

    def __init__(self):
        logging.disable(logging.WARNING)
        real, whole = "float", "int"
        self.client = Client(random_seed=1)
        self.client.configure_experiment(
            parameters=[
                RangeParameterConfig(name="x1", parameter_type=real, bounds=(0, 1)),
                RangeParameterConfig(name="x2", parameter_type=real, bounds=bed.RATES, scaling="log"),
                RangeParameterConfig(name="x3", parameter_type=whole, bounds=bed.WIDTHS, scaling="log"),
                ChoiceParameterConfig(name="x4", parameter_type=whole, values=bed.LEVELS, is_ordered=True),
                ChoiceParameterConfig(name="x5", parameter_type="str", values=bed.CHOICES, is_ordered=False),
                ChoiceParameterConfig(name="x6", parameter_type="bool", values=[False, True]),
            ]
        )
        self.client.configure_optimization(objective="-first, -second")
        self.client.configure_generation_strategy(
            method="fast", initialization_budget=12, initialize_with_center=False  # no suggestion without the model
        )

    def tell(self, point, values):
        self.answer(self.client.attach_trial(parameters=point), point, values)

    def ask(self):
        [suggestion] = self.client.get_next_trials(max_trials=1).items()
        return suggestion

    def answer(self, handle, point, values):
        self.client.complete_trial(handle, raw_data={"first": (values[0], None), "second": (values[1], None)})


class Botorch:
    """qLogNEHVI called directly, the cheapest way that there is: all dimensions continuous, a choice one-hot, rounded
    at the end (its optimizer for mixed spaces with its model for them took four times as long at 48 results). The
    reference point by BoTorch's rule."""

    def __init__(self):
        torch.manual_seed(1)
        self.inputs, self.outcomes = [], []

    def tell(self, point, values):
        *before, choice, switch = bed.unit(point)
        self.inputs.append([*before, switch, *(float(point["x5"] == name) for name in bed.CHOICES)])
        self.outcomes.append([-value for value in values])

    def ask(self):
        inputs, outcomes = (torch.tensor(rows, dtype=torch.double) for rows in (self.inputs, self.outcomes))
        model = ModelListGP(*[SingleTaskGP(inputs, column.unsqueeze(-1)) for column in outcomes.T])
        fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
        acquisition = qLogNoisyExpectedHypervolumeImprovement(
            model,
            ref_point=infer_reference_point(outcomes[is_non_dominated(outcomes)]),
            X_baseline=inputs,
            prune_baseline=True,
        )
        bounds = torch.stack([torch.zeros_like(inputs[0]), torch.ones_like(inputs[0])])
        best, _ = optimize_acqf(acquisition, bounds, q=1, num_restarts=10, raw_samples=512)
        *before, switch = best[0, :5].clamp(0, 1 - 1e-9).tolist()
        choice = (best[0, 5:].argmax().item() + 0.5) / len(bed.CHOICES)
        return None, bed.point([*before, choice, switch])

    def answer(self, handle, point, values):
        self.tell(point, values)


class Optuna:
    """One of its samplers, with a study in memory."""

    DISTRIBUTIONS = {
        "x1": optuna.distributions.FloatDistribution(0, 1),
        "x2": optuna.distributions.FloatDistribution(*bed.RATES, log=True),
        "x3": optuna.distributions.IntDistribution(*bed.WIDTHS, log=True),
        "x4": optuna.distributions.IntDistribution(0, len(bed.LEVELS) - 1),
        "x5": optuna.distributions.CategoricalDistribution(bed.CHOICES),
        "x6": optuna.distributions.CategoricalDistribution([False, True]),
    }

    def __init__(self, sampler):
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.simplefilter("ignore")
        self.study = optuna.create_study(directions=["minimize"] * 2, sampler=sampler)

    def tell(self, point, values):
        parameters = {**point, "x4": bed.LEVELS.index(point["x4"])}
        self.study.add_trial(
            optuna.trial.create_trial(params=parameters, distributions=self.DISTRIBUTIONS, values=values)
        )

    def ask(self):
        trial = self.study.ask(self.DISTRIBUTIONS)
        return trial, {**trial.params, "x4": bed.LEVELS[trial.params["x4"]]}

    def answer(self, handle, point, values):
        self.study.tell(handle, values)


PEERS = {  # by the package whose version counts
    ("ax-platform", "ax"): Ax,
    ("botorch", "botorch-qlognehvi"): Botorch,
    ("optuna", "optuna-gp"): lambda: Optuna(optuna.samplers.GPSampler(seed=1)),
    ("optuna", "optuna-tpe"): lambda: Optuna(optuna.samplers.TPESampler(seed=1)),
}

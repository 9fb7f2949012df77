"""One search of a continuous problem by BoTorch, one evaluation after the other: scrambled Sobol points, then the model
of BoTorch's own defaults and log EI, or qLogNEHVI for two objectives with the problem's reference point."""

import time

from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import ModelListGP, SingleTaskGP
from botorch.optim import optimize_acqf
from botorch.sampling.normal import SobolQMCNormalSampler
from botorch.utils.sampling import draw_sobol_samples
from gpytorch.mlls import SumMarginalLogLikelihood
import torch

RESTARTS, RAW_SAMPLES, SAMPLES = 10, 512, 128  # SAMPLES: of the posterior, in qLogNEHVI


def method(problem):
    return "botorch-qlognehvi" if problem.reference else "botorch-logei"


def fitted(inputs, outcomes):
    model = ModelListGP(*[SingleTaskGP(inputs, column.unsqueeze(-1)) for column in outcomes.T])
    fit_gpytorch_mll(SumMarginalLogLikelihood(model.likelihood, model))
    return model


def acquisition(problem, inputs, outcomes):
    """BoTorch maximises: `outcomes` are negated values."""
    model = fitted(inputs, outcomes)
    if not problem.reference:
        return LogExpectedImprovement(model.models[0], outcomes.max())
    return qLogNoisyExpectedHypervolumeImprovement(
        model,
        ref_point=[-value for value in problem.reference],
        X_baseline=inputs,
        sampler=SobolQMCNormalSampler(torch.Size([SAMPLES])),
        prune_baseline=True,
    )


def search(problem, seed, evaluations):
    """True values of each evaluation, and the CPU seconds that choosing its point took."""
    torch.manual_seed(seed)
    low, high = problem.bounds
    unit = torch.stack([torch.zeros(problem.dimensions), torch.ones(problem.dimensions)]).double()
    initial = 2 * (problem.dimensions + 1)
    inputs = draw_sobol_samples(unit, initial, 1, seed=seed).squeeze(1)
    results = [problem.evaluate(low + point * (high - low), None)[1] for point in inputs]
    seconds = [0.0] * initial
    while len(results) < evaluations:
        start = time.process_time()
        outcomes = -torch.tensor(results, dtype=torch.double)
        best, _ = optimize_acqf(
            acquisition(problem, inputs, outcomes), unit, q=1, num_restarts=RESTARTS, raw_samples=RAW_SAMPLES
        )
        seconds.append(time.process_time() - start)
        inputs = torch.cat([inputs, best])
        results.append(problem.evaluate(low + best[0] * (high - low), None)[1])
    return results[:evaluations], seconds[:evaluations]

"""One search of a problem by Optuna, one evaluation after the other, with its samplers' own defaults.

What is known not to be allowed is drawn again at no cost: Optuna cannot be told of it beforehand. A failed trial is
told with the worst values seen: a sampler takes no notice of a trial that is told as failed, and TPE comes back to it
again and again (on `mixed` and `fashion` it is then no better than random).
"""

import random
import time

import optuna

SAMPLERS = {
    "optuna-tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "optuna-tpe-multivariate": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
    "optuna-random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}


def search(problem, method, seed, evaluations):
    """True values of each evaluation (None where it failed), and the CPU seconds that choosing its point took."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    directions = ["minimize"] * (2 if problem.reference else 1)
    study = optuna.create_study(directions=directions, sampler=SAMPLERS[method](seed))
    noise = random.Random(seed)
    results, seconds, worst = [], [], None
    start = time.process_time()
    while len(results) < evaluations:
        trial = study.ask()
        point = problem.declare(trial)
        if not problem.allowed(point):
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        seconds.append(time.process_time() - start)
        told, true = problem.evaluate(point, noise)
        if told is not None:
            worst = [max(pair) for pair in zip(told, worst or told)]
        if told is not None or worst:
            study.tell(trial, told or worst)
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        results.append(true)
        start = time.process_time()
    return results, seconds

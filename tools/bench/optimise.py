"""Searches of ten problems by BoTorch and Optuna, 10 seeds each: curves as CSV files, means as a Markdown table."""

import argparse
import importlib.metadata
import os
import pathlib
import sys

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import torch

import botorch_search
import curves
import optuna_search
import problems
from machine import PROJECT

EVALUATIONS = {"botorch": 60, "optuna": 100}


def version(package):
    return f"{package}-{importlib.metadata.version(package)}"


def peers(name):
    """(folder, method) of all that search the problem. The folder names the version: a result is good for one only."""
    methods = [(version("optuna"), method) for method in optuna_search.SAMPLERS]
    if name in problems.CONTINUOUS:
        methods.append((version("botorch"), "botorch"))
    return methods


def run(problem, method, seed):
    if method == "botorch":
        results = botorch_search.search(problem, seed, EVALUATIONS["botorch"])
        return curves.rows(problem, botorch_search.method(problem), seed, *results)
    results = optuna_search.search(problem, method, seed, EVALUATIONS["optuna"])
    return curves.rows(problem, method, seed, *results)


def missing(names, seeds, folder):
    """Seed by seed, so that what an interrupted run leaves is of use."""
    for seed in range(1, seeds + 1):
        for name in names:
            for version_of, method in peers(name):
                path = folder / version_of / f"{name}-{method}-{seed}.csv"
                if not path.exists():
                    yield name, method, seed, path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="per problem and method (10)")
    parser.add_argument("--problems", nargs="*", default=problems.NAMES, help="all of " + " ".join(problems.NAMES))
    parser.add_argument("--results", type=pathlib.Path, default=PROJECT / "build" / "bench-curves", help="kept here")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name, method, seed, path in missing(arguments.problems, arguments.seeds, arguments.results):
        lines = run(problems.problem(name), method, seed)
        curves.write(path, lines)
        print(name, method, seed, lines[-1]["value"], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

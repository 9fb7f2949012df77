"""Searches of ten problems by nasrun, BoTorch and Optuna, 10 seeds each: what is missing to the best possible value
(hypervolume, or least value) after 60 evaluations, and after 100 where no BoTorch searches, as Markdown tables of
means; all curves as CSV and as SVG.

BoTorch takes hours. Every search of a peer is kept in a file of its own as soon as it is done, in a folder that is
named by the peer's version, and is not run again. nasrun's searches take seconds and are always run.
"""

import argparse
import collections
import importlib.metadata
import json
import os
import pathlib
import statistics
import sys

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import torch

import botorch_search
import curves
import optuna_search
import problems
from machine import NASRUN, PROJECT, description, output

EVALUATIONS, MORE = 60, 100  # of BoTorch; of all others
METHODS = "random,sobol,evolution"  # of nasrun, beside bo
PENDING = 8  # trials under way in a second run of bo


# ---- peers ----


def version(package):
    return f"{package}-{importlib.metadata.version(package)}"


def peers(name):
    """(folder, method) of all that search the problem. The folder names the version: a result is good for one only."""
    methods = [(version("optuna"), method) for method in optuna_search.SAMPLERS]
    if name in problems.CONTINUOUS:
        methods.append((version("botorch"), "botorch"))
    return methods


def files(names, seeds, folder):
    """(problem, method, seed, file). Seed by seed, so that what an interrupted run leaves is of use."""
    for seed in range(1, seeds + 1):
        for name in names:
            for version_of, method in peers(name):
                yield name, method, seed, folder / version_of / f"{name}-{method}-{seed}.csv"


def run(problem, method, seed):
    if method == "botorch":
        results = botorch_search.search(problem, seed, EVALUATIONS)
        return curves.rows(problem, botorch_search.method(problem), seed, *results)
    return curves.rows(problem, method, seed, *optuna_search.search(problem, method, seed, MORE))


def search_peers(searches):
    for name, method, seed, path in searches:
        if not path.exists():
            lines = run(problems.problem(name), method, seed)
            curves.write(path, lines)
            print(name, method, seed, lines[-1]["value"], file=sys.stderr, flush=True)


# ---- nasrun ----


def nasrun(names, seeds, evaluations, *options):
    paths = [problems.Fashion.TABLE.with_suffix(".ini") if name == "fashion" else name for name in names]
    limits = ["--seeds", seeds, "--evaluations", evaluations]
    return json.loads(output(NASRUN, "bench", "optimise", *paths, *limits, "--json", "--quiet", *options))


def search_nasrun(names, seeds, folder):
    """All curves, nasrun's and the peers' of folder/peers.csv: folder/curves.csv, folder/curves.svg."""
    nasrun(names, seeds, MORE, "--method", "bo", "--pending", f"1,{PENDING}", "--curves", folder / "bo.csv")
    given = ["--with", folder / "bo.csv", "--with", folder / "peers.csv"]
    drawn = ["--curves", folder / "curves.csv", "--svg", folder / "curves.svg"]
    nasrun(names, seeds, MORE, "--method", METHODS, *given, *drawn)


def as_sequential(names, folder):
    """By problem: after how many evaluations bo with trials under way is as far as without after EVALUATIONS."""
    rows = nasrun(names, 0, EVALUATIONS, "--with", folder / "bo.csv")
    return {row["problem"]: row["evaluations_to_sequential"] for row in rows if row["pending"] == PENDING}


# ---- the table ----


def missing(path, evaluations):
    """What separates each seed from the best value after so many evaluations, by (problem, method, pending)."""
    rows = curves.read(path)
    best = {row["problem"]: float(row["best"]) for row in rows if row["best"]}
    values = collections.defaultdict(list)
    for row in rows:
        if int(row["evaluation"]) == evaluations:
            distance = abs(float(row["value"]) - best[row["problem"]])
            method = "botorch" if row["method"].startswith("botorch") else row["method"]  # its acquisition follows
            values[row["problem"], method, row["pending"]].append(distance)
    return best, values


def cell(values, seeds):
    """Mean and standard error; how many seeds, where it is not all."""
    if not values:
        return ""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0
    return f"{statistics.mean(values):.3g} ± {error:.2g}" + ("" if len(values) == seeds else f" ({len(values)})")


def print_table(names, seeds, path, evaluations):
    best, values = missing(path, evaluations)
    groups = sorted({(method, pending) for name, method, pending in values if name in names})
    groups.sort(key=lambda group: (group[0] != "bo", "-" in group[0]))  # nasrun's first, before them its optimiser
    titles = [method if pending == "1" else f"{method}, {pending} pending" for method, pending in groups]
    print(f"\nMissing after {evaluations} evaluations, mean ± standard error (of so many seeds, where not of all):\n")
    print("| problem | best |", " | ".join(titles), "|")
    print("| --- | ---: |", " | ".join("---:" for _ in groups), "|")
    for name in names:
        cells = [cell(values[(name, *group)], seeds) for group in groups]
        print(f"| {name} | {best[name]:.6g} |", " | ".join(cells), "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="per problem and method (10)")
    parser.add_argument("--problems", nargs="*", default=problems.NAMES, help="all of " + " ".join(problems.NAMES))
    parser.add_argument("--keep", type=pathlib.Path, default=PROJECT / "build" / "bench-curves", help="results")
    parser.add_argument("--peers-only", action="store_true", help="do not run nasrun")
    parser.add_argument("--known", action="store_true", help="run no peer; take what is kept of them")
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    searches = list(files(arguments.problems, arguments.seeds, arguments.keep))
    if not arguments.known:
        search_peers(searches)
    if arguments.peers_only:
        return
    print(description(), f"{arguments.seeds} seeds", sep=", ")
    known = [row for *_, path in searches if path.exists() for row in curves.read(path)]
    curves.write(arguments.keep / "peers.csv", known)
    search_nasrun(arguments.problems, arguments.seeds, arguments.keep)
    print_table(arguments.problems, arguments.seeds, arguments.keep / "curves.csv", EVALUATIONS)
    others = [name for name in arguments.problems if name in problems.OTHERS]
    print_table(others, arguments.seeds, arguments.keep / "curves.csv", MORE)
    print(f"\nWith {PENDING} trials under way as far as sequentially after {EVALUATIONS} evaluations:\n")
    for name, reached in as_sequential(arguments.problems, arguments.keep).items():
        print(f"- {name}: after {reached or 'more'}")


if __name__ == "__main__":
    main()

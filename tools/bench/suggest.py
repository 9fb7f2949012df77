"""Seconds per suggestion of nasrun, Ax, BoTorch and Optuna by the number of finished trials: CPU time, one pinned core,
six mixed dimensions, two objectives (src/bench/suggest.c), as a Markdown table of medians."""

import argparse
import csv
import importlib.metadata
import json
import os
import pathlib
import random
import statistics
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded

import torch

import suggest_bed as bed
from machine import NASRUN, PROJECT, description, last_core, output, pinned
from suggest_peers import PEERS

COLUMNS = ["method", "results", "ask", "seconds"]


def measure(peer, results, asks, patience):
    """Seconds of the asks after so many results; no further one after `patience` seconds."""
    draws = random.Random(1)
    for _ in range(results):
        point = bed.random_point(draws)
        peer.tell(point, bed.evaluate(point))
    seconds = []
    while len(seconds) < asks and sum(seconds) < patience:
        start = time.process_time()
        handle, point = peer.ask()
        seconds.append(time.process_time() - start)
        peer.answer(handle, point, bed.evaluate(point))
    return seconds


def kept(path, package, method, results, arguments):
    """What was measured before, or is now. The path names the version: a figure is good for one only."""
    if not path.exists():
        create = PEERS[package, method]
        seconds = measure(create(), results, arguments.asks, arguments.patience)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([method, results, number, f"{taken:.6f}"] for number, taken in enumerate(seconds, 1))
        print(method, results, *(f"{taken:.3f}" for taken in seconds), file=sys.stderr, flush=True)
    with open(path, newline="") as file:
        return [float(row["seconds"]) for row in csv.DictReader(file)]


def text(seconds):
    """Median and worst, of how many."""
    return f"{statistics.median(seconds):.3g} ({max(seconds):.3g}) of {len(seconds)}"


def nasrun(arguments):
    """The same of nasrun, by its own command."""
    numbers = ",".join(map(str, arguments.results))
    rows = json.loads(output(*pinned(arguments.core, NASRUN, "bench", "suggest", "--json", "--results", numbers)))
    return [f"{row['median_ms'] / 1e3:.3g} ({row['worst_ms'] / 1e3:.3g}) of 50" for row in rows]


def peer(package, method, arguments):
    folder = arguments.keep / f"{package}-{importlib.metadata.version(package)}"
    paths = [(number, folder / f"suggest-{method}-{number}.csv") for number in arguments.results]
    return [text(kept(path, package, method, number, arguments)) for number, path in paths]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=int, nargs="*", default=[48, 250, 1000], help="numbers of finished trials")
    parser.add_argument("--asks", type=int, default=10, help="suggestions of a peer, one after the other (10)")
    parser.add_argument("--patience", type=float, default=60, help="seconds after which no other is begun (60)")
    parser.add_argument("--core", default=last_core(), help="to run on (the last)")
    parser.add_argument("--keep", type=pathlib.Path, default=PROJECT / "build" / "bench-curves", help="peers' results")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {int(arguments.core)})
    torch.set_num_threads(1)

    print(description(), f"core {arguments.core}", sep=", ")
    print("\nSeconds per suggestion: median (worst) of so many.\n")
    print("| method |", " | ".join(f"after {number} results" for number in arguments.results), "|")
    print("| --- |", " | ".join("---:" for _ in arguments.results), "|")
    print("| nasrun |", " | ".join(nasrun(arguments)), "|", flush=True)
    for package, method in PEERS:
        print(f"| {method} |", " | ".join(peer(package, method, arguments)), "|", flush=True)


if __name__ == "__main__":
    main()

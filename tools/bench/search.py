"""The search of configs/mnist.ini, seed after seed: what it takes and how good its front is, as a Markdown table.

Wall time, the optimiser's share of it, peak memory of all its processes together (proportional set size: what they
share counts once), and the hypervolume of (val_accuracy - 0.94) x (80,000 - parameters) / 80,000 that the finished
trials dominate. One run per seed and per number of cores, each core with one worker.
"""

import argparse
import csv
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

from machine import NASRUN, PROJECT, description, pinned

ACCURACY, PARAMETERS = 0.94, 80000  # the thresholds in configs/mnist.ini


def hypervolume(points):
    """Of (accuracy, parameters), against the thresholds, parameters in units of their threshold."""
    area, best = 0.0, ACCURACY
    for accuracy, parameters in sorted(points, key=lambda point: (point[1], -point[0])):
        if accuracy > best and parameters < PARAMETERS:
            area += (accuracy - best) * (PARAMETERS - parameters) / PARAMETERS
            best = accuracy
    return area


def descendants(root):
    """Process ids of root and all below it."""
    children = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):  # it has ended
            continue
        children.setdefault(parent, []).append(int(status.parent.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def memory_kib(root):
    total = 0
    for process in descendants(root):
        try:
            rollup = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
            total += int(re.search(r"^Pss: *(\d+)", rollup, re.M)[1])
        except (OSError, TypeError):
            pass
    return total


def finished(folder):
    with open(folder / "trials.csv", newline="") as file:
        return [row for row in csv.DictReader(file) if row["state"] in ("done", "stopped")]


def optimiser_seconds(folder):
    log = (folder / "nasrun.log").read_text()
    return float(re.findall(r"of which the optimiser took ([0-9.]+) s", log)[-1])


def run(seed, cores):
    """One search. Memory is looked at four times a second, which costs it nothing to speak of."""
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place) / "study"
        command = [NASRUN, PROJECT / "configs" / "mnist.ini", "--quiet", "--out", folder]
        command += ["--set", f"study.seed={seed}", "--set", f"run.workers={cores}"]
        start = time.perf_counter()
        search = subprocess.Popen(pinned(f"0-{cores - 1}", *command), stdout=subprocess.DEVNULL)
        peak = 0
        while True:
            try:
                search.wait(0.25)
                break
            except subprocess.TimeoutExpired:
                peak = max(peak, memory_kib(search.pid))
        seconds = time.perf_counter() - start
        if search.returncode:
            sys.exit(f"seed {seed}: nasrun ended with {search.returncode}")
        rows = finished(folder)
        points = [(float(row["val_accuracy"]), int(row["parameters"])) for row in rows]
        return {
            "seconds": seconds,
            "share": optimiser_seconds(folder) / seconds,
            "mib": peak / 1024,
            "hypervolume": hypervolume(points),
            "trials": len(rows),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many (5)")
    parser.add_argument("--cores", type=int, nargs="*", default=[1, 2], help="numbers of cores (1 2)")
    arguments = parser.parse_args()

    print(description())
    print("\n| cores | seed | trials | seconds | optimiser | peak MiB | hypervolume |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for cores in arguments.cores:
        results = []
        for seed in range(1, arguments.seeds + 1):
            results.append(run(seed, cores))
            line(cores, seed, results[-1])
        line(cores, "mean", {key: statistics.mean(result[key] for result in results) for key in results[0]})


def line(cores, seed, result):
    print(
        f"| {cores} | {seed} | {result['trials']:.0f} | {result['seconds']:.1f} | {result['share']:.1%} "
        f"| {result['mib']:.0f} | {result['hypervolume']:.4f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()

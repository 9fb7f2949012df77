"""Curves of searches: the best so far after every evaluation, one small CSV file per problem, method and seed.

The columns are those that `nasrun bench optimise --csv` writes and `--with` reads.
"""

import csv
import os

COLUMNS = ["problem", "method", "pending", "seed", "evaluation", "value", "seconds"]


def hypervolume(points, reference):
    """Area that the points (both objectives minimised) dominate below the reference."""
    area, limit = 0.0, reference[1]
    for first, second in sorted(points):
        if first < reference[0] and second < limit:
            area += (reference[0] - first) * (limit - second)
            limit = second
    return area


def curve(problem, results):
    """The value after each result: hypervolume, or the least value so far. A failed trial's result is None."""
    found, values = [], []
    for result in results:
        if result is not None:
            found.append(result)
        if problem.reference:
            values.append(hypervolume(found, problem.reference))
        else:
            values.append(min(found)[0] if found else float("inf"))
    return values


def rows(problem, method, seed, results, seconds):
    return [
        {
            "problem": problem.name,
            "method": method,
            "pending": 1,
            "seed": seed,
            "evaluation": number,
            "value": f"{value:.10g}",
            "seconds": f"{taken:.6f}",
        }
        for number, (value, taken) in enumerate(zip(curve(problem, results), seconds), 1)
    ]


def write(path, lines):
    """All at once, so that a file that is there is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with open(part, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    os.replace(part, path)


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))

"""Makes data/replay/fashion.csv: nasrun itself trains every network of data/replay/fashion.ini with each of three seeds.

The search draws at random without repeats, and ends when the space is exhausted. An interrupted run is gone on with
when the command is said again. Needs the full FashionMNIST; about 25 minutes of one core.
"""

import argparse
import csv
import pathlib
import re

from machine import NASRUN, PROJECT, description, output, pinned, last_core

CONFIGURATION = PROJECT / "data" / "replay" / "fashion.ini"
MEASURED = ("trial", "state", "cause", "val_accuracy", "parameters")  # columns of trials.csv that are no dimension


def trained(seed, folder, core):
    """Rows of trials.csv by point, and how many images validate."""
    study = folder / str(seed)
    command = [NASRUN, CONFIGURATION, "--quiet", "--out", study, "--set", f"study.seed={seed}"]
    output(*pinned(core, *command))
    with open(study / "trials.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    dimensions = [name for name in rows[0] if name not in MEASURED]
    images = re.search(r"(\d+) validate", output(NASRUN, "check", CONFIGURATION))[1]
    return dimensions, {tuple(row[name] for name in dimensions): row for row in rows}, images


def accuracy(row):
    """Four digits tell 2,250 images apart; empty where the training failed."""
    return f"{float(row['val_accuracy']):.6f}" if row["state"] == "done" else ""


def write(path, studies):
    dimensions, first, images = studies[0]
    assert all(rows.keys() == first.keys() for _, rows, _ in studies), "the seeds trained different networks"
    with open(path, "w", newline="") as file:
        file.write("# every network of fashion.ini; made by tools/bench/run replay_table: see README.md\n")
        file.write(f"# {description()}\n")
        writer = csv.writer(file, lineterminator="\n")
        seeds = [f"val_accuracy_{number}" for number in range(1, len(studies) + 1)]
        writer.writerow([*dimensions, "parameters", *seeds, "validation_images"])
        for point in sorted(first):
            accuracies = [accuracy(rows[point]) for _, rows, _ in studies]
            writer.writerow([*point, first[point]["parameters"], *accuracies, images])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="how many (3)")
    parser.add_argument("--core", default=last_core(), help="to run on (the last)")
    parser.add_argument("--studies", type=pathlib.Path, default=PROJECT / "build" / "replay", help="kept here")
    parser.add_argument("--table", type=pathlib.Path, default=CONFIGURATION.with_suffix(".csv"), help="to write")
    arguments = parser.parse_args()
    write(arguments.table, [trained(seed, arguments.studies, arguments.core) for seed in range(1, arguments.seeds + 1)])


if __name__ == "__main__":
    main()

"""nasrun and PyTorch by turns on one core: seconds per epoch of 60,000 images for four networks, as a Markdown table.

Every round runs `nasrun bench train` and train.py, now the one first, now the other; the figures are medians over the
rounds.
"""

import argparse
import json
import statistics
import sys

from machine import HERE, NASRUN, description, last_core, output, pinned


def measure(command, core):
    return {row["network"]: row for row in json.loads(output(*pinned(core, *command)))}


def over_rounds(runs, network, column):
    """Median, and how it is written: with the least and the most."""
    values = [run[network][column] for run in runs]
    middle = statistics.median(values)
    return middle, f"{middle:.2f} ({min(values):.2f}-{max(values):.2f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="about 80 s each (3)")
    parser.add_argument("--core", default=last_core(), help="to run on (the last)")
    arguments = parser.parse_args()

    commands = {"nasrun": [NASRUN, "bench", "train", "--json"], "PyTorch": [sys.executable, HERE / "train.py"]}
    results = {name: [] for name in commands}
    print(description(), f"core {arguments.core}, {arguments.rounds} rounds", sep=", ")
    for number in range(arguments.rounds):
        for name in sorted(commands, reverse=number % 2 == 0):
            print(f"round {number + 1}: {name}", file=sys.stderr)
            results[name].append(measure(commands[name], arguments.core))

    print("\n| network | batch | PyTorch, s (range) | nasrun, s (range) | times faster | share of FMA peak |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for network, row in results["nasrun"][0].items():
        ours, ours_text = over_rounds(results["nasrun"], network, "seconds_per_epoch")
        theirs, theirs_text = over_rounds(results["PyTorch"], network, "seconds_per_epoch")
        share, _ = over_rounds(results["nasrun"], network, "share_of_peak")
        print(f"| {network} | {row['batch']} | {theirs_text} | {ours_text} | {theirs / ours:.1f} | {share:.0%} |")


if __name__ == "__main__":
    main()

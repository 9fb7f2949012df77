"""Test accuracy of nasrun and of PyTorch with the same recipe, over several seeds, for the four networks on MNIST.

Both train on nine tenths of the training set, a seed choosing which, from the same distribution of initial weights,
with the same batches, Adam, dropout and epochs (networks/*.ini), and are tested on the 10,000 test images, which
neither has seen. Prints a Markdown table: mean and standard deviation over the seeds in per cent, and the difference of
the means.
"""

import argparse
import json
import statistics
import sys
import tempfile

import torch

import data
from machine import NASRUN, description, output
from network import FOLDER, NAMES, Network, accuracy, train


def nasrun_accuracy(network, seed):
    with tempfile.TemporaryDirectory() as study:
        config = FOLDER / f"{network.name}.ini"
        output(NASRUN, config, "--quiet", "--out", study, "--set", f"study.seed={seed}", "--set", "run.workers=1")
        return json.loads(output(NASRUN, "test", study, "--json"))[0]["test_accuracy"]


def torch_accuracy(network, seed, sets):
    (images, labels), (test_images, test_labels) = sets
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    training, _ = data.split(labels, network.validation, generator)
    mean, deviation = data.moments(images[training])
    inputs = data.normalised(images, mean, deviation)
    module = network.module()
    optimizer = network.optimizer(module)
    for _ in range(network.epochs):
        order = training[torch.randperm(len(training), generator=generator)]
        train(module, optimizer, inputs, labels, order, network.batch)
    return accuracy(module, data.normalised(test_images, mean, deviation), test_labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many (5)")
    parser.add_argument("networks", nargs="*", default=NAMES, help=" ".join(NAMES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sets = data.load("mnist", "train"), data.load("mnist", "t10k")

    print(description(), f"{arguments.seeds} seeds", sep=", ")
    print("\n| network | epochs | PyTorch % | nasrun % | nasrun - PyTorch |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for network in map(Network, arguments.networks):
        ours, theirs = [], []
        for seed in range(1, arguments.seeds + 1):
            ours.append(100 * nasrun_accuracy(network, seed))
            theirs.append(100 * torch_accuracy(network, seed, sets))
            print(f"{network.name} seed {seed}: PyTorch {theirs[-1]:.2f}, nasrun {ours[-1]:.2f}", file=sys.stderr)
        cells = [
            f"{statistics.mean(values):.2f} ± {statistics.stdev(values) if len(values) > 1 else 0:.2f}"
            for values in (theirs, ours)
        ]
        difference = statistics.mean(ours) - statistics.mean(theirs)
        print(f"| {network.name} | {network.epochs} | {' | '.join(cells)} | {difference:+.2f} |", flush=True)


if __name__ == "__main__":
    main()

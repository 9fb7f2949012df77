"""The search of configs/mnist.ini by Ax with PyTorch, one trial after the other on one thread; beside search.py.

The same space, budget, thresholds and data; each trial is trained by the loop in network.py. Prints JSON: seconds,
those of them that suggestions took, the hypervolume. Takes five to ten minutes.
"""

import argparse
import json
import logging
import time

import torch
from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from torch import nn

import data
from network import CLASSES, accuracy, initialised, train
from search import ACCURACY, PARAMETERS, hypervolume

INITIAL, TRIALS, VALIDATION = 12, 48, 0.1


def client(seed):
    real, whole = "float", "int"
    ax = Client(random_seed=seed)
    ax.configure_experiment(
        parameters=[
            RangeParameterConfig(name="hidden1", parameter_type=whole, bounds=(16, 128), scaling="log"),
            RangeParameterConfig(name="hidden2", parameter_type=whole, bounds=(16, 128), scaling="log"),
            RangeParameterConfig(name="learning_rate", parameter_type=real, bounds=(1e-4, 1e-2), scaling="log"),
            RangeParameterConfig(name="dropout", parameter_type=real, bounds=(0, 0.5)),
            ChoiceParameterConfig(
                name="batch_size", parameter_type=whole, values=[32, 64, 128, 256], is_ordered=True
            ),
            RangeParameterConfig(name="epochs", parameter_type=whole, bounds=(1, 4)),
        ]
    )
    ax.configure_optimization(
        objective="val_accuracy, -parameters",
        outcome_constraints=[f"val_accuracy >= {ACCURACY}", f"parameters <= {PARAMETERS}"],
    )
    ax.configure_generation_strategy(method="fast", initialization_budget=INITIAL)
    return ax


def trial(point, inputs, labels, training, validating):
    """Validation accuracy and number of parameters of one network."""
    width1, width2, pixels = point["hidden1"], point["hidden2"], inputs[0].numel()
    hidden = [nn.Flatten()]
    for before, after in ((pixels, width1), (width1, width2)):
        hidden += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(point["dropout"])]
    module = initialised(nn.Sequential(*hidden, nn.Linear(width2, CLASSES)))
    optimizer = torch.optim.Adam(module.parameters(), lr=point["learning_rate"], fused=True)
    for _ in range(point["epochs"]):
        train(module, optimizer, inputs, labels, training[torch.randperm(len(training))], point["batch_size"])
    parameters = sum(values.numel() for values in module.parameters())
    return accuracy(module, inputs[validating], labels[validating]), parameters


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=TRIALS)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)

    images, labels = data.load("mnist", "train")
    start, suggesting, points = time.perf_counter(), 0.0, []
    training, validating = data.split(labels, VALIDATION, torch.Generator().manual_seed(arguments.seed))
    inputs = data.normalised(images, *data.moments(images[training]))
    ax = client(arguments.seed)
    for _ in range(arguments.trials):
        before = time.perf_counter()
        [(index, point)] = ax.get_next_trials(max_trials=1).items()
        suggesting += time.perf_counter() - before
        reached, parameters = trial(point, inputs, labels, training, validating)
        ax.complete_trial(index, raw_data={"val_accuracy": (reached, None), "parameters": (parameters, 0.0)})
        points.append((reached, parameters))
    seconds = time.perf_counter() - start
    print(
        json.dumps(
            {
                "seed": arguments.seed,
                "trials": len(points),
                "seconds": round(seconds, 1),
                "suggestions_seconds": round(suggesting, 1),
                "hypervolume": round(hypervolume(points), 4),
            }
        )
    )


if __name__ == "__main__":
    main()

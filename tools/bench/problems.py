"""The problems of `nasrun bench optimise`, for the peers: continuous ones as BoTorch defines them, mixed and
conditional ones as src/bench/ does. All objectives are minimised.

A problem has a name, its number of dimensions, `reference` (of the hypervolume; None with one objective), and
`declare(trial)`, which draws a point from an Optuna trial. `evaluate(point, random)` gives what a search is told, and
the true values; both are None where the trial fails. `allowed(point)` is what is known before a trial.
"""

import csv
import math

from botorch.test_functions import DTLZ2, ZDT1, ZDT2, Ackley, Branin, BraninCurrin, Hartmann
import torch

from machine import PROJECT


class Continuous:
    """One of BoTorch's test functions; a point is a list of numbers in its bounds."""

    def __init__(self, name, function, reference=None):
        self.name, self.function, self.reference = name, function, reference
        self.dimensions = function.dim
        self.bounds = function.bounds  # [2, dimensions]

    def declare(self, trial):
        low, high = self.bounds.tolist()
        return [trial.suggest_float(f"x{i}", low[i], high[i]) for i in range(self.dimensions)]

    def allowed(self, point):
        return True

    def evaluate(self, point, random):
        values = self.function(torch.as_tensor(point, dtype=torch.double)).reshape(-1).tolist()
        return values, values


class Mixed:
    """Six dimensions of all kinds; noise on the first objective; too high a rate fails."""

    name, dimensions, reference = "mixed", 6, (0.6, 11.0)
    NOISE = 0.004
    ACTIVATIONS = {  # added to the error, added per layer above the first, cost
        "relu": (0.010, 0.004, 0.0),
        "gelu": (0.018, 0.000, 0.2),
        "tanh": (0.000, 0.012, 0.1),
        "sigmoid": (0.030, 0.030, 0.1),
        "elu": (0.012, 0.005, 0.2),
    }

    def declare(self, trial):
        return {
            "width": trial.suggest_int("width", 8, 256, log=True),
            "depth": trial.suggest_int("depth", 1, 6),
            "rate": trial.suggest_float("rate", 1e-4, 1e-1, log=True),
            "batch": 16 << trial.suggest_int("batch", 0, 4),  # Optuna has no ordered levels
            "activation": trial.suggest_categorical("activation", list(self.ACTIVATIONS)),
            "norm": trial.suggest_categorical("norm", [False, True]),
        }

    def allowed(self, point):
        return True

    def evaluate(self, point, random):
        width, extra = math.log2(point["width"]) - 3, point["depth"] - 1
        batch, norm = math.log2(point["batch"]) - 4, point["norm"]
        constant, per_layer, price = self.ACTIVATIONS[point["activation"]]
        too_high = math.log10(point["rate"]) - (-2.6 + 0.5 * norm + 0.15 * batch - 0.08 * extra)
        if too_high > 1:
            return None, None
        error = 0.04 + 0.40 * math.exp(-0.45 * width - 0.8 * extra + 0.07 * extra**2) + constant + per_layer * extra
        error += (0.010 if norm else 0.008 * extra) + 0.006 * batch + min(0.06 * too_high**2, 0.3)
        cost = math.log2(point["width"] * point["depth"]) + 0.3 * norm + price - 0.15 * batch
        return [error + self.NOISE * random.gauss(0, 1), cost], [error, cost]


class Conditional:
    """Up to four blocks with widths and kernels of their own, two optimizers with parameters of their own; the cost is
    known before a trial, and limited."""

    name, dimensions, reference = "conditional", 14, (0.65, 11.0)
    MOST_COST = 11
    WORTH = (0.9, 0.7, 0.5, 0.4)  # of a block
    KERNELS = ({1: 0.3, 3: 0.7, 5: 1}, {1: 0.4, 3: 1, 5: 0.9}, {1: 0.6, 3: 1, 5: 0.7}, {1: 1, 3: 0.9, 5: 0.8})

    def declare(self, trial):
        blocks = trial.suggest_int("blocks", 1, 4)
        point = {
            "width": [trial.suggest_int(f"width{i}", 4, 64, log=True) for i in range(blocks)],
            "kernel": [1 + 2 * trial.suggest_int(f"kernel{i}", 0, 2) for i in range(blocks)],
            "skip": blocks > 2 and trial.suggest_categorical("skip", [False, True]),
            "optimizer": trial.suggest_categorical("optimizer", ["sgd", "adam"]),
            "rate": trial.suggest_float("rate", 1e-4, 1, log=True),
        }
        if point["optimizer"] == "sgd":
            point["momentum"] = trial.suggest_float("momentum", 0, 0.99)
        else:
            point["warmup"] = trial.suggest_int("warmup", 0, 8)
        return point

    def cost(self, point):
        size = sum(width * kernel**2 + 30 for width, kernel in zip(point["width"], point["kernel"]))
        return math.log2(size) + 0.2 * point["skip"]

    def allowed(self, point):
        return self.cost(point) <= self.MOST_COST

    def evaluate(self, point, random):
        gain = sum(
            self.WORTH[i] * (math.log2(width) - 1) / 5 * self.KERNELS[i][kernel]
            for i, (width, kernel) in enumerate(zip(point["width"], point["kernel"]))
        )
        rate = math.log10(point["rate"])
        if point["optimizer"] == "sgd":
            training = min(0.25 * (point["momentum"] - 0.9) ** 2 + 0.04 * (rate + 1) ** 2, 0.3)
        else:
            training = 0.015 + min(0.03 * (rate + 3) ** 2 + 0.002 * (point["warmup"] - 4) ** 2, 0.3)
        stuck = 0.04 if len(point["width"]) > 2 and not point["skip"] else 0
        values = [0.03 + 0.57 * math.exp(-gain) + training + stuck, self.cost(point)]
        return values, values


class Fashion:
    """The table of trained networks in data/replay/: error, and the logarithm of the number of parameters."""

    name, dimensions = "fashion", 10
    TABLE = PROJECT / "data" / "replay" / "fashion.csv"
    RATES = ["0.001", "0.006", "0.04", "0.3", "2"]

    def __init__(self):
        with open(self.TABLE, newline="") as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
        names = list(rows[0])[: list(rows[0]).index("parameters")]
        seeds = [name for name in rows[0] if name.startswith("val_accuracy")]
        self.networks = {tuple(row[name] for name in names): self.network(row, seeds) for row in rows}
        self.names = names
        self.reference = (0.5, max(size for size, _ in self.networks.values()))

    @staticmethod
    def network(row, seeds):
        """Size, and the error with each seed, None where it failed."""
        return math.log10(int(row["parameters"])), [1 - float(row[seed]) if row[seed] else None for seed in seeds]

    def declare(self, trial):
        point = {"conv": trial.suggest_categorical("conv", ["no", "yes"])}
        either = "norm" if point["conv"] == "yes" else "pool"
        point[either] = trial.suggest_categorical(either, ["no", "yes"])
        point["layers"] = str(trial.suggest_int("layers", 1, 2))
        for i in range(int(point["layers"])):
            point[f"width[{i}]"] = str(8 << trial.suggest_int(f"width{i}", 0, 3))
        point["activation"] = trial.suggest_categorical("activation", ["leaky_relu", "tanh"])
        point["optimizer"] = trial.suggest_categorical("optimizer", ["sgd", "adam"])
        if point["optimizer"] == "sgd":
            point["momentum"] = trial.suggest_categorical("momentum", ["0", "0.9"])
        point["learning_rate"] = self.RATES[trial.suggest_int("learning_rate", 0, len(self.RATES) - 1)]
        return point

    def allowed(self, point):
        return True

    def evaluate(self, point, random):
        size, errors = self.networks[tuple(point.get(name, "") for name in self.names)]
        measured = random.choice(errors)
        if measured is None:
            return None, None
        reached = [error for error in errors if error is not None]
        return [measured, size], [sum(reached) / len(reached), size]


CONTINUOUS = {
    "branin": lambda name: Continuous(name, Branin()),
    "hartmann6": lambda name: Continuous(name, Hartmann(6)),
    "ackley10": lambda name: Continuous(name, Ackley(10)),
    "branincurrin": lambda name: Continuous(name, BraninCurrin(), (18.0, 6.0)),
    "zdt1": lambda name: Continuous(name, ZDT1(6, 2), (11.0, 11.0)),
    "zdt2": lambda name: Continuous(name, ZDT2(6, 2), (11.0, 11.0)),
    "dtlz2": lambda name: Continuous(name, DTLZ2(6, 2), (1.1, 1.1)),
}
OTHERS = {"mixed": lambda name: Mixed(), "conditional": lambda name: Conditional(), "fashion": lambda name: Fashion()}
NAMES = [*CONTINUOUS, *OTHERS]


def problem(name):
    return {**CONTINUOUS, **OTHERS}[name](name)

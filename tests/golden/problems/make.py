"""Makes classic.csv and mixed.csv: values of the problems of `nasrun bench optimise`.

The classic ones are BoTorch's own test functions. `mixed` and `conditional` are nasrun's; here their formulas stand a
second time, as they are described in README.md. Run in this folder; needs botorch."""
import csv
import math
import random

import torch
from botorch.test_functions import Ackley, Branin, Hartmann
from botorch.test_functions.multi_objective import DTLZ2, ZDT1, ZDT2, BraninCurrin

CLASSIC = {
    "branin": Branin, "hartmann6": lambda: Hartmann(dim=6), "ackley10": lambda: Ackley(dim=10),
    "branincurrin": BraninCurrin, "zdt1": lambda: ZDT1(dim=6), "zdt2": lambda: ZDT2(dim=6),
    "dtlz2": lambda: DTLZ2(dim=6, num_objectives=2),
}
ACTIVATIONS = {"relu": (0.010, 0.004, 0), "gelu": (0.018, 0, 0.2), "tanh": (0, 0.012, 0.1),
               "sigmoid": (0.030, 0.030, 0.1), "elu": (0.012, 0.005, 0.2)}
BLOCK_GAIN = [0.9, 0.7, 0.5, 0.4]
KERNEL_GAIN = [{1: 0.3, 3: 0.7, 5: 1}, {1: 0.4, 3: 1, 5: 0.9}, {1: 0.6, 3: 1, 5: 0.7}, {1: 1, 3: 0.9, 5: 0.8}]


def classic_rows():
    torch.set_default_dtype(torch.double)
    torch.manual_seed(1)
    for name, make in CLASSIC.items():
        function = make()
        lower, upper = function.bounds
        inside = lower + (upper - lower) * torch.rand(12, function.dim)
        # six decimals survive the rounding of nasrun's points
        points = torch.cat([torch.round(inside * 1e6) / 1e6, lower[None], upper[None], ((lower + upper) / 2)[None]])
        for point, value in zip(points, function(points).reshape(len(points), -1)):
            yield ([name] + [repr(x) for x in point.tolist()] + [""] * (10 - function.dim)
                   + [repr(y) for y in value.tolist()] + [""] * (2 - len(value)))


def mixed(p):
    width, depth, batch = math.log2(p["width"]) - 3, p["depth"] - 1, math.log2(p["batch"]) - 4
    norm = p["norm"] == "yes"
    offset, slope, cost = ACTIVATIONS[p["activation"]]
    off = math.log10(p["rate"]) - (-2.6 + 0.5 * norm + 0.15 * batch - 0.08 * depth)
    if off > 1:
        return "", ""  # the trial fails
    error = (0.04 + 0.4 * math.exp(-0.45 * width - 0.8 * depth + 0.07 * depth**2) + offset + slope * depth
             + (0.010 if norm else 0.008 * depth) + 0.006 * batch + min(0.06 * off**2, 0.3))
    return error, math.log2(p["width"] * p["depth"]) + 0.3 * norm + cost - 0.15 * batch


def conditional(p):
    gain = size = 0
    for i in range(p["blocks"]):
        width, kernel = p[f"width[{i}]"], p[f"kernel[{i}]"]
        gain += BLOCK_GAIN[i] * (math.log2(width) - 1) / 5 * KERNEL_GAIN[i][kernel]
        size += width * kernel**2 + 30
    rate = math.log10(p["rate"])
    if p["optimizer"] == "sgd":
        training = min(0.25 * (p["momentum"] - 0.9) ** 2 + 0.04 * (rate + 1) ** 2, 0.3)
    else:
        training = 0.015 + min(0.03 * (rate + 3) ** 2 + 0.002 * (p["warmup"] - 4) ** 2, 0.3)
    skip = p.get("skip") == "yes"
    error = 0.03 + 0.57 * math.exp(-gain) + training + (0.04 if p["blocks"] > 2 and not skip else 0)
    return error, math.log2(size) + 0.2 * skip


def draw_mixed(r):
    return {"width": round(2 ** r.uniform(3, 8)), "depth": r.randint(1, 6), "rate": float(f"{10 ** r.uniform(-4, -1):.6g}"),
            "batch": r.choice([16, 32, 64, 128, 256]), "activation": r.choice(list(ACTIVATIONS)),
            "norm": r.choice(["no", "yes"])}


def draw_conditional(r):
    p = {"blocks": r.randint(1, 4)}
    p |= {f"width[{i}]": round(2 ** r.uniform(2, 6)) for i in range(p["blocks"])}
    p |= {f"kernel[{i}]": r.choice([1, 3, 5]) for i in range(p["blocks"])}
    if p["blocks"] > 2:
        p["skip"] = r.choice(["no", "yes"])
    p["optimizer"] = r.choice(["sgd", "adam"])
    p |= {"momentum": round(r.uniform(0, 0.99), 6)} if p["optimizer"] == "sgd" else {"warmup": r.randint(0, 8)}
    return p | {"rate": float(f"{10 ** r.uniform(-4, 0):.6g}")}


def mixed_rows():
    r = random.Random(1)
    for name, draw, evaluate in ("mixed", draw_mixed, mixed), ("conditional", draw_conditional, conditional):
        for _ in range(40):
            point = draw(r)
            yield [name, " ".join(f"{k}={v}" for k, v in point.items())] + [repr(y) if y != "" else "" for y in evaluate(point)]


def write(path, header, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


write("classic.csv", ["problem"] + [f"x{i}" for i in range(1, 11)] + ["first", "second"], classic_rows())
write("mixed.csv", ["problem", "point", "first", "second"], mixed_rows())

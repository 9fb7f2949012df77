"""What `nasrun bench suggest` measures with (src/bench/suggest.c), for the peers: six dimensions of different kinds,
two objectives to minimise. A point is a dictionary of values."""

import math

RATES, WIDTHS = (1e-4, 1e-1), (8, 256)
LEVELS, CHOICES = [16, 32, 64, 128, 256], ["relu", "gelu", "tanh", "elu"]


def point(unit):
    """Six numbers of [0, 1) -> a point."""
    low, high = RATES
    least, most = WIDTHS
    return {
        "x1": unit[0],
        "x2": low * (high / low) ** unit[1],
        "x3": round(least * (most / least) ** unit[2]),
        "x4": LEVELS[int(unit[3] * len(LEVELS))],
        "x5": CHOICES[int(unit[4] * len(CHOICES))],
        "x6": unit[5] >= 0.5,
    }


def unit(values):
    """The way back; a level is the middle of its share."""
    low, high = RATES
    least, most = WIDTHS
    return [
        values["x1"],
        math.log(values["x2"] / low) / math.log(high / low),
        math.log(values["x3"] / least) / math.log(most / least),
        (LEVELS.index(values["x4"]) + 0.5) / len(LEVELS),
        (CHOICES.index(values["x5"]) + 0.5) / len(CHOICES),
        (values["x6"] + 0.5) / 2,
    ]


def random_point(random):
    return point([random.random() for _ in range(6)])


def evaluate(values):
    """Bowls around centres of their own, steeper in the first dimensions, with a ripple between neighbours."""
    objectives = []
    for objective in range(2):
        total = before = 0.0
        for d, coordinate in enumerate(unit(values)):
            off = coordinate - 0.2 - 0.6 * ((d + objective) % 3) / 2
            total += off * off / (1 + 0.3 * d) + 0.1 * math.sin(6 * off * before)
            before = off
        objectives.append(total)
    return objectives

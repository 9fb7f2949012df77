"""Seconds that PyTorch takes for one epoch of 60,000 images on one thread, for each of the four networks.

Measured as `nasrun bench train` does: the time of chunks of 1,280 images, their lower quartile, scaled up to the epoch.
What else the machine did in between then counts little, and a network that takes a minute per epoch needs some seconds.
The images are synthetic there and here: the time does not depend on them.
Prints JSON: [{"network", "batch", "chunks", "seconds_per_epoch"}, ...].
"""

import argparse
import json
import time

import torch

from network import CLASSES, NAMES, SHAPE, Network, train

EPOCH, CHUNK = 60000, 1280  # images; the chunk is a multiple of every batch
LEAST = 8  # chunks


def chunk_times(network, seconds):
    """Seconds of each chunk, over at least `seconds`; two before warm up."""
    torch.manual_seed(1)
    images, labels = torch.randn(EPOCH, *SHAPE), torch.randint(CLASSES, (EPOCH,))
    module = network.module()
    optimizer = network.optimizer(module)
    times = []
    while True:
        for order in torch.randperm(EPOCH)[: EPOCH // CHUNK * CHUNK].split(CHUNK):
            start = time.perf_counter()
            train(module, optimizer, images, labels, order, network.batch)
            times.append(time.perf_counter() - start)
            if len(times) >= LEAST and sum(times) >= seconds:
                return times[2:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="time for each network (8)")
    parser.add_argument("networks", nargs="*", default=NAMES, help=" ".join(NAMES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for network in map(Network, arguments.networks):
        times = sorted(chunk_times(network, arguments.seconds))
        row = {"network": network.name, "batch": network.batch, "chunks": len(times)}
        rows.append(row | {"seconds_per_epoch": times[len(times) // 4] * EPOCH / CHUNK})
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Seconds that PyTorch takes for one epoch of 60,000 images, per network, on one thread.

An epoch is timed in chunks of about 2,500 images and the median chunk is scaled up: what else the machine did in between
does not count, and a network of a minute per epoch needs a few seconds. The images are noise, as for `nasrun bench train`:
the time does not depend on them. Prints JSON: [{"network", "batch", "seconds_per_epoch", "chunks"}].
"""

import argparse
import json
import statistics
import time

import torch

from network import CLASSES, NAMES, SHAPE, Network, train

EPOCH, CHUNK = 60000, 2560  # images; the chunk is a multiple of every batch


def chunk_seconds(network, seconds):
    """Times of chunks over at least `seconds`, after two that warm up."""
    torch.manual_seed(1)
    images, labels = torch.randn(EPOCH, *SHAPE), torch.randint(CLASSES, (EPOCH,))
    module = network.module()
    optimizer = network.optimizer(module)
    times = []
    while len(times) < 5 or sum(times) < seconds:
        for order in torch.randperm(EPOCH)[: EPOCH // CHUNK * CHUNK].split(CHUNK):
            start = time.perf_counter()
            train(module, optimizer, images, labels, order, network.batch)
            times.append(time.perf_counter() - start)
            if len(times) >= 5 and sum(times) >= seconds:
                break
    return times[2:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="time for each network (8)")
    parser.add_argument("networks", nargs="*", default=NAMES, help=" ".join(NAMES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for network in map(Network, arguments.networks):
        times = chunk_seconds(network, arguments.seconds)
        seconds = statistics.median(times) * EPOCH / CHUNK
        rows.append({"network": network.name, "batch": network.batch, "seconds_per_epoch": seconds, "chunks": len(times)})
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

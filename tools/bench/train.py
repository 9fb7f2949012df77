"""Seconds that PyTorch takes for one epoch of 60,000 images, for each of the four networks.

On the CPU as `nasrun bench train` measures there: one thread, the time of chunks of 1,280 images, their lower quartile,
scaled up to the epoch. What else the machine did in between then counts little, and a network that takes a minute per
epoch needs some seconds. On a GPU as it measures there: the images lie on the device, the median of whole epochs after
one to warm up; once as written ("eager"), once with a step captured in a CUDA graph ("graph"), both without TF32 unless
asked for. The images are synthetic there and here: the time does not depend on them.
Prints JSON: [{"network", "batch", "variant", "chunks", "seconds_per_epoch", "torch"}, ...]; exits with 77 where there is
no PyTorch or, for --device cuda, no GPU that it can use.
"""

import argparse
import json
import statistics
import sys
import time

try:
    import torch
except ImportError as error:
    print(f"PyTorch cannot be imported: {error}", file=sys.stderr)
    sys.exit(77)

from network import CLASSES, NAMES, SHAPE, Network, train

EPOCH, CHUNK = 60000, 1280  # images; the chunk is a multiple of every batch
LEAST = 8  # chunks
EPOCHS = 5  # on a GPU, at the most


def data(device, count):
    torch.manual_seed(1)
    return torch.randn(count, *SHAPE, device=device), torch.randint(CLASSES, (count,), device=device)


def chunk_times(network, seconds):
    """Seconds of each chunk, over at least `seconds`; two before warm up."""
    images, labels = data("cpu", EPOCH)
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


class Captured:
    """A step on a full batch as a CUDA graph, whose images are chosen by one copy of indices; a short batch is eager."""

    def __init__(self, network, images, labels):
        self.batch, self.images, self.labels = network.batch, images, labels
        self.module = network.module().cuda()
        self.optimizer = network.optimizer(self.module, capturable=True)
        self.index = torch.zeros(self.batch, dtype=torch.long, device="cuda")
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # allocations and choices of algorithms, before the capture
            for _ in range(3):
                self.train(self.index)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.train(self.index)

    def train(self, order):
        train(self.module, self.optimizer, self.images, self.labels, order, self.batch)

    def epoch(self, order):
        for index in order.split(self.batch):
            if len(index) == self.batch:
                self.index.copy_(index)
                self.graph.replay()
            else:
                self.train(index)


def eager_epoch(network, images, labels):
    module = network.module().cuda()
    optimizer = network.optimizer(module)
    return lambda order: train(module, optimizer, images, labels, order, network.batch)


def epoch_times(epoch, seconds, count):
    """Seconds of each epoch but the first: five, or as many as fit into `seconds`, one at least."""
    times = []
    while len(times) < 2 or (len(times) <= EPOCHS and sum(times) < seconds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        epoch(torch.randperm(count, device="cuda"))
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return times[1:]


def cpu_rows(network, seconds):
    times = sorted(chunk_times(network, seconds))
    yield "eager", len(times), times[len(times) // 4] * EPOCH / CHUNK


def gpu_rows(network, seconds, count):
    images, labels = data("cuda", count)
    for variant, epoch in (
        ("eager", eager_epoch(network, images, labels)),
        ("graph", Captured(network, images, labels).epoch),
    ):
        times = epoch_times(epoch, seconds, count)
        yield variant, len(times), statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="time for each network (8)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--tf32", action="store_true", help="let a GPU round the factors of products")
    parser.add_argument("--images", type=int, default=EPOCH, help="of an epoch, on a GPU (60000)")
    parser.add_argument("networks", nargs="*", default=NAMES, help=" ".join(NAMES))
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        print("PyTorch sees no GPU", file=sys.stderr)
        sys.exit(77)
    torch.set_num_threads(1)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = arguments.tf32
    rows = []
    for network in map(Network, arguments.networks):
        if arguments.device == "cpu":
            measured = cpu_rows(network, arguments.seconds)
        else:
            measured = gpu_rows(network, arguments.seconds / 2, arguments.images)
        for variant, chunks, seconds in measured:
            row = {"network": network.name, "batch": network.batch, "variant": variant, "chunks": chunks}
            rows.append(row | {"seconds_per_epoch": seconds, "torch": torch.__version__})
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

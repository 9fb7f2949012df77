"""A nasrun configuration of one network as PyTorch sees it: the modules, the optimizer, the loop that trains them.

The loop is the fastest plain one we know for small networks on one core: the images are one float tensor in memory,
batches come by index_select, Adam is the fused one, convolutions work on channels_last (a quarter faster here than on
contiguous tensors), nothing is copied or logged within an epoch.
"""

import pathlib

import torch
from torch import nn
from torch.nn import functional

FOLDER = pathlib.Path(__file__).resolve().parent / "networks"
NAMES = ("mlp-s", "mlp-l", "lenet", "cnn")
SHAPE, CLASSES = (1, 28, 28), 10


class Network:
    """What tools/bench/networks/NAME.ini says; only the keys and layers that the files there use."""

    def __init__(self, name):
        self.name = name
        sections = read_ini(FOLDER / f"{name}.ini")
        self.layers = [value for key, value in sections["network"] if key == "layer"]
        fixed = {"$" + key: value.removeprefix("fixed ") for key, value in sections["space"]}
        training = {key: fixed.get(value, value) for key, value in sections["training"]}
        self.batch = int(training["batch_size"])
        self.epochs = int(training["epochs"])
        self.learning_rate = float(training["learning_rate"])
        if (training["optimizer"], training["initialisation"]) != ("adam", "he"):
            raise ValueError(f"{name}: only adam and he are translated")
        self.validation = float(dict(sections["data"])["validation"])

    def module(self):
        modules, shape = [], SHAPE
        for layer in self.layers:
            new, shape = translate(layer, shape)
            modules += new
        return initialised(nn.Sequential(*modules)).to(memory_format=torch.channels_last)

    def optimizer(self, module, **options):
        return torch.optim.Adam(module.parameters(), lr=self.learning_rate, fused=True, **options)


def read_ini(path):
    """{section: [(key, value), ...]}; `layer` comes many times."""
    sections, here = {}, None
    for line in path.read_text().splitlines():
        line = line.split(";")[0].strip()
        if line.startswith("["):
            here = sections.setdefault(line.strip("[]"), [])
        elif line:
            key, _, value = line.partition("=")
            here.append((key.strip(), value.strip()))
    return sections


def translate(layer, shape):
    """One `layer = ...` line to modules and the shape behind them, (C, H, W) or (units,)."""
    kind, *words = layer.split()
    attribute = dict(word.split("=") for word in words)
    activation = [nn.ReLU()] if attribute.pop("activation", None) == "relu" else []

    if kind == "dense":
        units = CLASSES if attribute["units"] == "classes" else int(attribute["units"])
        flatten = [nn.Flatten()] if len(shape) > 1 else []
        inputs = torch.Size(shape).numel()
        return flatten + [nn.Linear(inputs, units)] + activation, (units,)
    if kind == "conv":
        channels, kernel = int(attribute["channels"]), int(attribute["kernel"])
        padding = attribute.get("padding", "0")
        padding = kernel // 2 if padding == "same" else int(padding)
        convolution = nn.Conv2d(shape[0], channels, kernel, padding=padding, bias=attribute.get("bias") != "no")
        size = [side + 2 * padding - kernel + 1 for side in shape[1:]]
        return [convolution] + activation, (channels, *size)
    if kind in ("maxpool", "avgpool"):
        size = int(attribute["size"])
        pool = (nn.MaxPool2d if kind == "maxpool" else nn.AvgPool2d)(size)
        return [pool], (shape[0], *(side // size for side in shape[1:]))
    if kind == "batchnorm":
        return [nn.BatchNorm2d(shape[0])], shape
    if kind == "activation" and attribute["kind"] == "relu":
        return [nn.ReLU()], shape
    if kind == "dropout":
        return [nn.Dropout(float(attribute["rate"]))], shape
    raise ValueError(f"layer = {layer}: not translated")


def initialised(module):
    """nasrun's start: weights uniform with variance 2 / fan_in (He et al. 2015), biases 0."""
    for layer in module:
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return module


def train(module, optimizer, images, labels, order, batch):
    """One pass over images[order]; the last batch may be short."""
    module.train()
    for index in order.split(batch):
        loss = functional.cross_entropy(module(images.index_select(0, index)), labels.index_select(0, index))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.inference_mode()
def accuracy(module, images, labels):
    module.eval()
    right = sum(int((module(x).argmax(1) == y).sum()) for x, y in zip(images.split(1000), labels.split(1000)))
    return right / len(labels)

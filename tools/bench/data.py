"""MNIST for PyTorch: float tensors in memory, normalised as nasrun does it."""

import gzip
import os
import pathlib

import numpy
import torch

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def folder(name):
    """Where nasrun finds the set, too."""
    for place in (os.environ.get("NASRUN_DATA"), PROJECT / "data"):
        if place and (pathlib.Path(place) / name).is_dir():
            return pathlib.Path(place) / name
    raise SystemExit(f"{name} is neither in $NASRUN_DATA nor in data/; tools/get-data {name} gets it")


def read_idx(path):
    packed = path.with_name(path.name + ".gz")
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    dimensions = content[3]
    shape = numpy.frombuffer(content, ">u4", dimensions, 4)
    return torch.from_numpy(numpy.frombuffer(content, "u1", offset=4 + 4 * dimensions).reshape(shape).copy())


def load(name, part):
    """uint8 images [N, 1, H, W] and labels [N] of `train` or `t10k`."""
    here = folder(name)
    images, labels = (read_idx(here / f"{part}-{file}-ubyte") for file in ("images-idx3", "labels-idx1"))
    return images.unsqueeze(1), labels.long()


def split(labels, validation, generator):
    """Indices that train and that validate, `validation` of each class."""
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=generator)]
        chosen[members[: round(validation * len(members))]] = True
    return (~chosen).nonzero().flatten(), chosen.nonzero().flatten()


def normalised(images, mean, deviation):
    return (images / 255 - mean) / deviation


def moments(images):
    """Mean and deviation of the pixels, 0 to 1."""
    pixels = images / 255
    return pixels.mean(), pixels.std()

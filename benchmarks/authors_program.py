"""Time a step of the authors' program in each octave; run with a Python that has TensorFlow.

    python authors_program.py CHECKOUT GIVEN.npz FOUND.json --threads 2 --steps 10

`authors.py` calls this, with frames and weights in GIVEN.npz, and reads FOUND.json. The program is
imported from a checkout and not changed: the weights of the spatial stream are passed to it instead
of being downloaded, and its own method that records the losses of a step is wrapped by a clock.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

OCTAVES, BASE = (-2, -1, 0), 1.5  # of the authors' script
LEVEL = 1e4  # to which they scale each loss at the start of an octave
RATE = 0.002  # the time of a step does not depend on it


def trunk_builder(build: Callable[..., object], values: Mapping[str, np.ndarray]) -> Callable:
    """Make the function that returns the spatial stream: Keras's network with given weights."""

    def built(**_: object) -> object:
        network = build(include_top=False, weights=None)
        for layer in network.layers:
            if f"{layer.name}.weight" in values:
                layer.set_weights([values[f"{layer.name}.{part}"] for part in ("weight", "bias")])
        return network

    return built


def octave(power: int, steps: int) -> dict[str, object]:
    """Return one octave in the form of the program's configuration."""
    return {
        "iters": steps,
        "optimizer": {"params": {"learning_rate": RATE}},
        "regularizer_w": {"tv": 0.1},
        "scale": {"octave": power, "octave_scale": BASE},
        "loss_w": {"ss": 1, "ts": 1},
    }


class Clock:
    """The program, with the times at which its steps end and its initial losses."""

    def __init__(self, program: object, steps: int, device: str) -> None:
        self.program, self.moments, self.losses = program, [], {}
        fields = {
            "hyperparams": {"device": device, "pad": 1, "blend": 1, "equalize_losses": LEVEL},
            "opt_info": {"verbose": 0},
            "opt_settings": [octave(power, steps) for power in OCTAVES],
        }
        program.config = program.check_config(fields)
        program.history = {}
        self._note, program.update_history = program.update_history, self._noted
        self._weigh, program.equalize_loss_weights = program.equalize_loss_weights, self._weighed

    def _noted(self, *given: object) -> None:
        self._note(*given)
        self.moments.append(time.perf_counter())

    def _weighed(self, *given: object) -> tuple[dict, dict]:
        weights, others = self._weigh(*given)
        self.losses = {name: LEVEL / float(weight) for name, weight in weights.items()}
        return weights, others

    def octave(self, start: np.ndarray, settings: dict[str, object]) -> tuple[object, list[float]]:
        """Return the frames after an octave, and the seconds of all its steps but the first."""
        self.moments.clear()
        target = self.program.extract_frames_from_tar(1)
        frames = self.program.optimize_frame_transition(1, start, target, [settings])
        return frames, np.diff(self.moments).tolist()


def measure(clock: Clock, start: np.ndarray, warm_up: int) -> dict[str, object]:
    """Measure size and seconds of steps in each octave, initial raw losses, and colour transfer."""
    octaves = []
    for settings in clock.program.config["opt_settings"]:
        frames, seconds = clock.octave(start, settings)
        octaves.append({"size": list(frames.shape[2:4]), "seconds": seconds[warm_up - 1 :]})
    began = time.perf_counter()
    clock.program.postprocess(1, frames)
    after = time.perf_counter() - began
    return {"octaves": octaves, "losses": clock.losses, "after": after}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("given", type=Path)
    parser.add_argument("found", type=Path)
    parser.add_argument("--network", default="VGG19", help="VGG19 or VGG16")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="/CPU:0")
    given = parser.parse_args()

    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(given.threads)
    tf.config.threading.set_inter_op_parallelism_threads(given.threads)
    values, found = dict(np.load(given.given, allow_pickle=False)), given.found.resolve()
    applications = tf.keras.applications
    applications.VGG19 = trunk_builder(getattr(applications, given.network), values)
    sys.path.insert(0, str(given.checkout.resolve()))
    os.chdir(given.checkout)  # the program reads its temporal weights from there
    from SpaceTimeStyleTransfer import SpaceTimeStyleTransfer

    natural = values["natural"]
    program = SpaceTimeStyleTransfer({"ss": natural, "ts": natural})
    clock = Clock(program, given.warm_up + given.steps, given.device)
    start = tf.convert_to_tensor(values["start"][None])
    result = measure(clock, start, given.warm_up)
    found.write_text(json.dumps({**result, "tensorflow": tf.__version__}))


if __name__ == "__main__":
    main()

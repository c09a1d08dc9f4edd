"""The Methods paragraph of a run, from its manifest."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from stst._version import __version__
from stst.errors import RunError

if TYPE_CHECKING:
    from stst.storage.manifest import Manifest

CITATION = f"""\
@article{{greco2024stst,
  author  = {{Greco, Antonino and Siegel, Markus}},
  title   = {{A spatiotemporal style transfer algorithm for dynamic visual stimulus generation}},
  journal = {{Nature Computational Science}},
  year    = {{2024}},
  doi     = {{10.1038/s43588-024-00746-w}}
}}
@software{{stst_vision,
  author  = {{{{The stst developers}}}},
  title   = {{stst: dynamic stimuli for vision science}},
  version = {{{__version__}}},
  year    = {{2026}}
}}"""


_RULES = {
    "normalised": "gradient descent on the gradient divided by its standard deviation",
    "adam": "Adam",
    "lbfgs": "L-BFGS",
}
_PATHS = {
    "affine": "by the affine motion nearest to",
    "dense": "along",
    "scrambled": "by the affine motion nearest to, and the phase-scrambled rest of,",
}


def methods(manifest: Manifest) -> str:
    """Write the paragraph: what was shown to what, how it was optimised, how well it fits.

    RunError of a folder that holds no stimulus and no measurement.
    """
    if manifest.kind == "prediction":
        return f"{manifest.prediction['sentence']}. {_versions(manifest)}"
    if manifest.kind == "stimulus":
        return f"{_made(manifest)} {_versions(manifest)}"
    if manifest.kind == "synthesis":
        parts = (_stimulus, _streams, _optimisation, _outcome, _software)
        return " ".join(part(manifest) for part in parts)
    raise RunError(
        "this folder holds no stimulus and no measurement. Give one that `stst synthesize`, "
        "`factorize`, `scramble`, `stimulus` or `prednet evaluate` wrote."
    )


def _made(manifest: Manifest) -> str:
    sentence = manifest.stimulus["sentence"]
    if not manifest.source:
        return f"The stimulus was {sentence}."
    source, clipped = manifest.source, manifest.clipped_share
    lost = f"; {100 * clipped:.2g} % of its values were clipped to [0, 1]" if clipped else ""
    natural = manifest.stimulus["kind"] == "natural"
    what = "The natural clip" if natural else "The control stimulus of the natural clip"
    return (
        f"{what} {source['file']} ({source['frames']} frames, "
        f"{source['width']} x {source['height']} px, {_rate(source)} frames/s) "
        f"{sentence}{lost}.{_fit(manifest.residuals)}"
    )


def _rate(source: dict[str, Any]) -> str:
    """As people write it; the manifest has the exact fraction."""
    return f"{float(Fraction(source['frame_rate'])):.5g}"


def _fit(residuals: dict[str, Any]) -> str:
    if "statistics" not in residuals:
        return ""
    found = residuals["statistics"]
    return (
        f" The relative error of the statistics was {found['mean']:.3f} on average over frames "
        f"(largest: {found['max']:.3f})."
    )


def _stimulus(manifest: Manifest) -> str:
    source = manifest.source
    form = (
        f"{source['frames']} frames ({source['width']} x {source['height']} px, "
        f"{_rate(source)} frames/s)"
    )
    by = "was synthesised by spatiotemporal style transfer (Greco & Siegel, 2024)"
    if not manifest.time:
        return f"A dynamic model metamer of {form} of the natural clip {source['file']} {by}."
    return (
        f"A clip of {form} with the spatial features of the natural clip {source['file']} and "
        f"the temporal ones of {manifest.time['file']} {by}."
    )


def _streams(manifest: Manifest) -> str:
    weights = manifest.recipe["weights"]
    clips = "clips" if manifest.time else "clip"
    losses = [_loss(name, manifest) for name, value in weights.items() if any(value)]
    return (
        f"{_order(manifest)} optimised {_way(manifest.recipe)} to match the natural {clips} in "
        "these losses: "
        + "; ".join(losses)
        + ". Weights: "
        + "; ".join(_weights(s) for s in manifest.streams if s)
        + "."
    )


def _order(manifest: Manifest) -> str:
    given = manifest.given
    return f"Frames after those given ({given['path']}) were" if given else "Frames were"


def _way(recipe: dict[str, Any]) -> str:
    far = recipe["distances"]
    pairs = "" if far == [1] else f" (frame pairs at distances of {', '.join(map(str, far))})"
    if recipe["whole"] is None:
        return f"one after the other{pairs}"
    return f"all together{' as a seamless loop' if recipe['whole']['loop'] else ''}{pairs}"


def _loss(name: str, manifest: Manifest) -> str:
    layers = [key.split("/")[1] for key in manifest.residuals if key.startswith(f"{name}/")]
    of = f" of {', '.join(layers)}" if layers else ""
    share = manifest.recipe.get("field")
    if share and name.endswith("texture"):
        of += f" (where receptive fields are at most {share:g} of the short side)"
    return f"{name.replace('_', ' ')}{of} (weight {_short(manifest.recipe['weights'][name])})"


def _weights(stream: dict[str, Any]) -> str:
    note = stream["note"].removeprefix(f"{stream['name']}: ")
    return f"{stream['name']} ({note}; SHA-256 {stream['sha256'][:12]})"


def _short(schedule: list[float]) -> str:
    return "/".join(f"{value:g}" for value in schedule)


def _optimisation(manifest: Manifest) -> str:
    recipe = manifest.recipe
    most = "at most " if recipe["stop"] else ""
    octaves = ", ".join(
        f"{most}{_short(o['steps'])} steps at scale {o['scale']:.3g} (rate {o['rate']:g})"
        for o in recipe["octaves"]
    )
    return (
        f"Optimisation: {_rule(recipe['optimiser'])}, coarse to fine, {octaves}; "
        f"{_stop(recipe['stop'])}{_start(recipe['start'])}"
        f"{_pad(manifest)}seed {manifest.seed}."
    )


def _pad(manifest: Manifest) -> str:
    recipe = manifest.recipe
    if manifest.given or (recipe["whole"] and recipe["whole"]["loop"]):
        return ""
    return f"{recipe['pad']} pad frames were made first and dropped; "


def _stop(stop: dict[str, Any] | None) -> str:
    if stop is None:
        return ""
    return (
        f"an octave ended once the relative residual of every loss was at most "
        f"{stop['tolerance']:g} (twice that below full size){_rounds(stop)}; "
    )


def _rule(optimiser: dict[str, Any]) -> str:
    damping = optimiser.get("damping", 0)
    return _RULES[optimiser["method"]] + (f" (damping {damping:g})" if damping else "")


def _rounds(stop: dict[str, Any]) -> str:
    if stop["rounds"] == 1:
        return ""
    return (
        f", or else its steps were repeated up to {stop['rounds']} times in all, as long as they "
        f"lowered all together by at least {100 * stop['improvement']:g} %"
    )


def _start(start: dict[str, Any]) -> str:
    if start["warp"] == "none":
        return ""
    path = _PATHS[start["warp"]]
    return (
        f"a frame started from the finished one before it, moved {path} the optical flow of "
        "the natural clip (dense inverse search); "
    )


def _outcome(manifest: Manifest) -> str:
    worst = max(manifest.residuals.items(), key=lambda item: item[1]["max"])
    means = [layer["mean"] for layer in manifest.residuals.values()]
    return (
        f"The relative error of the matched representations was {sum(means) / len(means):.3f} "
        f"on average over layers and frames (largest: {worst[1]['max']:.3f}, {worst[0]})."
    )


def _versions(manifest: Manifest) -> str:
    packages = manifest.environment["packages"]
    return f"Software: stst-vision {packages['stst-vision']}, NumPy {packages['numpy']}."


def _software(manifest: Manifest) -> str:
    packages = manifest.environment["packages"]
    return (
        f"Software: stst-vision {packages['stst-vision']}, PyTorch {packages['torch']}, "
        f"{manifest.environment['device']}, {manifest.environment['precision']}; "
        f"recipe {manifest.recipe['fingerprint']}."
    )

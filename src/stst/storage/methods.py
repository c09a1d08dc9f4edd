"""Write the Methods paragraph of a run from its manifest."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

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

RULES = {
    "normalised": "gradient descent on the gradient divided by its standard deviation",
    "adam": "Adam",
    "lbfgs": "L-BFGS",
}
PATHS = {
    "affine": "by the affine motion nearest to",
    "dense": "along",
    "scrambled": "by the affine motion nearest to, and the phase-scrambled rest of,",
}


def methods(manifest: Manifest) -> str:
    """Write the Methods paragraph of a run.

    Parameters
    ----------
    manifest : Manifest
        Manifest of a synthesis, a stimulus or a prediction.

    Returns
    -------
    str
        One paragraph of plain text.

    Raises
    ------
    RunError
        If the run is of another type.
    """
    if manifest.kind == "prediction":
        return f"{manifest.prediction['sentence']}. {_versions(manifest)}"
    if manifest.kind == "stimulus":
        return f"{_made(manifest)} {_versions(manifest)}"
    if manifest.kind == "synthesis":
        parts = (_stimulus, _streams, _optimisation, _outcome, _software)
        return " ".join(part(manifest) for part in parts)
    raise RunError(
        "this folder has no stimulus and no prediction. Give a folder written by "
        "`stst synthesize`, `factorize`, `scramble`, `stimulus` or `prednet evaluate`."
    )


def _made(manifest: Manifest) -> str:
    sentence = manifest.stimulus["sentence"]
    if not manifest.source:
        return f"The stimulus was {sentence}."
    clipped = manifest.clipped_share
    lost = f"; {100 * clipped:.2g} % of its values were clipped to [0, 1]" if clipped else ""
    natural = manifest.stimulus["kind"] == "natural"
    what = "The natural clip" if natural else "The control stimulus of the natural clip"
    text = f"{what} {manifest.source['file']} ({_form(manifest, ', ')}) {sentence}{lost}."
    text += _changes(manifest)
    if error := manifest.residuals.get("statistics"):
        text += (
            f" The relative error of the statistics was {error['mean']:.3f} on average over "
            f"frames (largest: {error['max']:.3f})."
        )
    return text


def _changes(manifest: Manifest) -> str:
    """Describe how the frames of natural clips were resized."""
    clips = [clip for clip in (manifest.source, manifest.time) if clip.get("changes")]
    return "".join(f" Frames of {c['file']} were {' and '.join(c['changes'])}." for c in clips)


def _form(manifest: Manifest, opening: str) -> str:
    """Describe length, size and frame rate of the natural clip."""
    source = manifest.source
    rate = float(Fraction(source["frame_rate"]))  # rounded; the manifest has the exact rate
    size = f"{source['width']} x {source['height']} px"
    form = f"{source['frames']} frames{opening}{size}, {rate:.5g} frames/s"
    if resampling := source.get("resampling"):
        form += (
            f", resampled to {float(Fraction(resampling['rate'])):.5g} frames/s by when frames are "
            f"shown ({resampling['doubled']} repeated, {resampling['dropped']} left out)"
        )
    return form


def _stimulus(manifest: Manifest) -> str:
    form, natural = f"{_form(manifest, ' (')})", manifest.source["file"]
    by = "was synthesised by spatiotemporal style transfer (Greco & Siegel, 2024)"
    if not manifest.time:
        text = f"A dynamic model metamer of {form} of the natural clip {natural} {by}."
    else:
        text = (
            f"A clip of {form} with the spatial features of the natural clip {natural} and "
            f"the temporal ones of {manifest.time['file']} {by}."
        )
    return text + _changes(manifest)


def _streams(manifest: Manifest) -> str:
    recipe, given = manifest.recipe, manifest.given
    order = f"Frames after those given ({given['path']}) were" if given else "Frames were"
    way = "one after the other"
    if recipe["whole"] is not None:
        way = f"all together{' as a seamless loop' if recipe['whole']['loop'] else ''}"
    if recipe["distances"] != [1]:
        way += f" (frame pairs at distances of {', '.join(map(str, recipe['distances']))})"
    clips = "clips" if manifest.time else "clip"
    losses = [_loss(name, manifest) for name, value in recipe["weights"].items() if any(value)]
    weights = [
        f"{stream['name']} ({stream['note'].removeprefix(stream['name'] + ': ')}; SHA-256 "
        f"{stream['sha256'][:12]})"
        for stream in manifest.streams
        if stream
    ]
    return (
        f"{order} optimised {way} to match the natural {clips} in these losses: "
        f"{'; '.join(losses)}. Weights: {'; '.join(weights)}."
    )


def _loss(name: str, manifest: Manifest) -> str:
    layers = [key.split("/")[1] for key in manifest.residuals if key.startswith(f"{name}/")]
    of = f" of {', '.join(layers)}" if layers else ""
    share = manifest.recipe.get("field")
    if share and name.endswith("texture"):
        of += f" (where receptive fields are at most {share:g} of the short side)"
    return f"{name.replace('_', ' ')}{of} (weight {_short(manifest.recipe['weights'][name])})"


def _short(schedule: list[float]) -> str:
    return "/".join(f"{value:g}" for value in schedule)


def _optimisation(manifest: Manifest) -> str:
    recipe, stop = manifest.recipe, manifest.recipe["stop"]
    most = "at most " if stop else ""
    octaves = ", ".join(
        f"{most}{_short(o['steps'])} steps at scale {o['scale']:.3g} (rate {o['rate']:g})"
        for o in recipe["octaves"]
    )
    damping = recipe["optimiser"].get("damping", 0)
    rule = RULES[recipe["optimiser"]["method"]] + (f" (damping {damping:g})" if damping else "")
    text = f"Optimisation: {rule}, coarse to fine, {octaves}; "
    if stop:
        text += (
            "an octave ended once the relative residual of every loss was at most "
            f"{stop['tolerance']:g} (twice that below full size)"
        )
        if stop["rounds"] != 1:
            text += (
                f", or else its steps were repeated up to {stop['rounds']} times in all, as long "
                f"as they lowered all together by at least {100 * stop['improvement']:g} %"
            )
        text += "; "
    if (warp := recipe["start"]["warp"]) != "none":
        text += (
            f"a frame started from the finished one before it, moved {PATHS[warp]} the optical "
            "flow of the natural clip (dense inverse search); "
        )
    if not (manifest.given or (recipe["whole"] and recipe["whole"]["loop"])):
        text += f"{recipe['pad']} pad frames were made first and dropped; "
    return f"{text}seed {manifest.seed}."


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

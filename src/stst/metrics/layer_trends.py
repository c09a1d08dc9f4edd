"""Similarity over the layers of networks, between floor and ceiling, and verdicts on it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from stst.metrics.bounds import bounds_words
from stst.metrics.statistics import KEPT, LOST, NO_ENDS, UNTESTABLE, Average, Claim, average, units
from stst.metrics.tables import CEILING, CURVE, FLOOR, LAYER, NATURAL, TIME, make_table

LAYER_MEASURES = {
    "cosine": "cosine",
    "pearson": "Pearson correlation",
    "cka": "linear CKA over frames",
    "rsa": "RSA over frames",
}
VIEWS = {"places": "each channel at each place", "channels": "channel means over places"}
EARLY, LATE = 0.25, 0.75  # relative depth: layers up to the one, and from the other on
LEAST_RANGE = 0.05  # from floor to ceiling: where there is less, nothing can be told

_PLACE = [*CURVE[1:], *LAYER]


def mean_of(rows: pd.DataFrame) -> tuple[str, int, float, float, float, str]:
    """What a mean is over, of how many, the mean, and its `Average` bounds.

    It is over clips, the seeds of one, or the frames of one seed, which are not independent.
    """
    values = units(rows[rows["axis"] == "clip"])
    if len(values) != 1:
        over = "clips" if rows["stimulus"].nunique() > 1 else "seeds"
        return over, len(values), *average(values)
    frames = rows.loc[(rows["axis"] == "frame") & np.isfinite(rows["value"]), "value"]
    if len(frames) < 2:
        return "", 1, values.iloc[0], *NO_ENDS
    return "frames", len(frames), values.iloc[0], *average(frames)[1:]


def profiles(layers: pd.DataFrame) -> pd.DataFrame:
    """Similarity of each condition to its natural clips in each layer, floor and ceiling beside."""
    ends = _ends(layers, _PLACE)
    rows = [
        (*key, *ends.loc[key[1:]], *mean_of(own), *mean_of(own.assign(value=own["above"]))[2:])
        for key, own in above(layers).groupby([*CURVE, *LAYER], sort=False)
    ]
    return make_table("profiles", rows)


def trends(layers: pd.DataFrame) -> pd.DataFrame:
    """Similarity above the floor in early and late layers, and its slope over a whole network."""
    shares = above(layers)
    shares["depth"] = shares["depth"].where(shares["above"].notna())
    shares["early"] = shares["above"].where(shares["depth"] <= EARLY)
    shares["late"] = shares["above"].where(shares["depth"] >= LATE)
    clips, line = [*CURVE, "stimulus", "seed", "axis", "at"], ["depth", "above"]
    centred = shares[line] - shares.groupby(clips)[line].transform("mean")
    shares["slope"], shares["depth"] = centred["depth"] * centred["above"], centred["depth"] ** 2
    groups = shares.groupby(clips, sort=False)
    parts = groups[["early", "late"]].mean()
    sums = groups[["slope", "depth"]].sum(min_count=2)
    parts["slope"] = sums["slope"] / sums["depth"]  # of the straight line that fits best
    rows = [
        (*key, part, *mean_of(own.assign(value=own[part])))
        for key, own in parts.reset_index().groupby(list(CURVE), sort=False)
        for part in ("early", "late", "slope")
    ]
    return make_table("trends", rows)


def above(layers: pd.DataFrame) -> pd.DataFrame:
    """Rows of what was made of natural clips, with their similarity ``above`` the floor.

    From 0 for an unrelated clip to 1 for a noisy copy; NaN where these are less than 0.05 apart.
    """
    by = ["stimulus", *_PLACE]
    made = (layers["reference"] == NATURAL) & ~layers["condition"].isin([NATURAL, FLOOR, CEILING])
    rows = layers[made].join(_ends(layers, by), on=by)
    width = rows[CEILING] - rows[FLOOR]
    rows["above"] = ((rows["value"] - rows[FLOOR]) / width).where(width >= LEAST_RANGE)
    return rows


def _ends(layers: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Mean floor and ceiling, NaN where there is none, by the values of these columns."""
    clips = layers[(layers["reference"] == NATURAL) & (layers["axis"] == "clip")]
    means = clips.groupby([*by, "condition"])["value"].agg(lambda v: v.mean(skipna=False))
    return means.unstack("condition").reindex(columns=[FLOOR, CEILING])


def biases(layers: pd.DataFrame) -> pd.DataFrame:
    """Similarity to the natural clip less that to the clip that the motion is of, in each layer.

    ``limit`` is what the natural clip itself has, and -``limit`` what the other has.
    """
    to_time = layers[layers["reference"] == TIME]
    keys = [name for name in layers if name not in ("reference", "value")]
    both = layers[layers["reference"] == NATURAL].merge(to_time, on=keys, suffixes=("", "_time"))
    both["value"] -= both["value_time"]
    natural = to_time[to_time["condition"] == NATURAL]
    limits = {key: 1 - mean_of(rows)[2] for key, rows in natural.groupby(_PLACE)}
    rows = [
        (*key, limits[key[1:]], *mean_of(own))
        for key, own in both.groupby([*CURVE, *LAYER], sort=False)
    ]
    return make_table("biases", rows)


def beyond_words(share: float) -> str:
    """Say what a share of the way from floor to ceiling means that is outside of it, or nothing."""
    if share < 0:
        return "below the floor: less alike than unrelated clips"
    return "above the ceiling: more alike than a noisy copy" if share > 1 else ""


HALF = 0.5  # of the way from floor to ceiling: similarity above it is called kept; our choice
JUDGED = "pearson"  # the measure that verdicts are of


def similarity_claims(trends: pd.DataFrame) -> Iterator[Claim]:
    """Kept or lost: the similarity (Pearson correlation) of early and of late layers.

    Kept: at least half of the way from floor to ceiling, with the whole interval. Lost: below.
    """
    for row in trends[(trends["measure"] == JUDGED) & (trends["part"] != "slope")].itertuples():
        name = f"{row.part} similarity of {row.view} ({row.network})"
        yield Claim(row.condition, name, *_judge(row))


def _judge(row: Any) -> tuple[str, str]:  # noqa: ANN401
    """Verdict and reason from a row of the trends."""
    if math.isnan(row.mean):
        return UNTESTABLE, (
            f"no unrelated clip was given, or floor and ceiling are less than {LEAST_RANGE:g} apart"
        )
    low, high = Average(row.mean, row.low, row.high, row.bounds).judged
    verdict = KEPT if low >= HALF else LOST if high < HALF else UNTESTABLE
    span = bounds_words(row.units, row.over, row.bounds, f"{row.low:.2f}", f"{row.high:.2f}")
    doubt = ", which the interval holds" if verdict == UNTESTABLE else ""
    beyond = beyond_words(row.mean)
    return verdict, (
        f"{row.mean:.2f} of the way from floor to ceiling{beyond and f', {beyond}'} ({span}); "
        f"at least {HALF:g} is kept{doubt}"
    )


def label_claims(labels: pd.DataFrame) -> Iterator[Claim]:
    """Kept or lost: the class that a network takes the natural clip for.

    Not testable where noise alone changes it, or some clips keep it and some lose it.
    """
    shown = ["stimulus", "network"]
    own = labels[labels["condition"] == NATURAL].set_index(shown)[["label", "probability"]]
    pairs = labels.join(own.add_prefix("own_"), on=shown)
    pairs["kept"] = pairs["label"] == pairs["own_label"]
    pairs["upset"] = (pairs["condition"] == CEILING) & ~pairs["kept"]
    pairs["upset"] = pairs.groupby(shown)["upset"].transform("any")
    made = pairs[~pairs["condition"].isin([NATURAL, CEILING, FLOOR])]
    for (condition, network), rows in made.groupby(["condition", "network"], sort=False):
        yield Claim(condition, f"top-1 class ({network})", *_judge_labels(rows))


def _judge_labels(pairs: pd.DataFrame) -> tuple[str, str]:
    steady = pairs[~pairs["upset"]]
    if steady.empty:
        return UNTESTABLE, "the natural clip with some noise is taken for another class"
    kept, left_out = steady["kept"].sum(), len(pairs) - len(steady)
    verdict = KEPT if kept == len(steady) else LOST if kept == 0 else UNTESTABLE
    omitted = f" ({left_out} left out, of which noise changes the class)" if left_out else ""
    first = steady.iloc[0]
    return verdict, (
        f"the same in {kept} of {len(steady)} clips{omitted}; in the first, {first['own_label']} "
        f"(probability {first['own_probability']:.2f}) is {first['label']} "
        f"({first['probability']:.2f}), and the natural's class has {first['natural']:.3f}"
    )

"""Similarity over the layers of networks, relative to floor and ceiling, and verdicts on it."""

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
VIEWS = {"places": "each channel at each position", "channels": "channel means over positions"}
EARLY, LATE = 0.25, 0.75  # relative depth: early layers end here, late layers begin here
LEAST_RANGE = 0.05  # smallest distance from floor to ceiling that can be tested

_PLACE = [*CURVE[1:], *LAYER]


def mean_of(rows: pd.DataFrame) -> tuple[str, int, float, float, float, str]:
    """Average values over clips, over the seeds of one clip, or over the frames of one seed.

    Parameters
    ----------
    rows : DataFrame
        Rows of the table ``layers`` that belong to one line.

    Returns
    -------
    tuple
        What the mean is over (``"clips"``, ``"seeds"``, ``"frames"`` or empty), the number of
        units, and mean, low, high and bounds as in `Average`.

    Notes
    -----
    Frames are not independent; bounds over them do not generalise to other clips.

    Examples
    --------
    >>> row = {"stimulus": "clip", "seed": 0, "axis": "clip"}
    >>> mean_of(pd.DataFrame([row | {"value": 0.2}, row | {"seed": 1, "value": 0.4}]))[:2]
    ('seeds', 2)
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
    """Compute the similarity of each condition in each layer, with floor and ceiling.

    Parameters
    ----------
    layers : DataFrame
        Table ``layers`` of an `Evaluation`.

    Returns
    -------
    DataFrame
        Table ``profiles``. ``above`` is the normalised similarity: 0 at the floor, 1 at the
        ceiling.

    Examples
    --------
    >>> profiles(make_table("layers")).empty
    True
    """
    ends = _ends(layers, _PLACE)
    rows = [
        (*key, *ends.loc[key[1:]], *mean_of(own), *mean_of(own.assign(value=own["above"]))[2:])
        for key, own in above(layers).groupby([*CURVE, *LAYER], sort=False)
    ]
    return make_table("profiles", rows)


def trends(layers: pd.DataFrame) -> pd.DataFrame:
    """Compute normalised similarity in early and late layers, and its slope over the network.

    Parameters
    ----------
    layers : DataFrame
        Table ``layers`` of an `Evaluation`.

    Returns
    -------
    DataFrame
        Table ``trends``. Early layers are the first quarter, late layers the last. The slope is
        that of a straight line over all layers, from depth 0 to 1.

    Examples
    --------
    >>> trends(make_table("layers")).empty
    True
    """
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
    parts["slope"] = sums["slope"] / sums["depth"]  # least squares
    rows = [
        (*key, part, *mean_of(own.assign(value=own[part])))
        for key, own in parts.reset_index().groupby(list(CURVE), sort=False)
        for part in ("early", "late", "slope")
    ]
    return make_table("trends", rows)


def above(layers: pd.DataFrame) -> pd.DataFrame:
    """Add the normalised similarity to the rows of clips made from natural clips.

    Parameters
    ----------
    layers : DataFrame
        Table ``layers`` of an `Evaluation`.

    Returns
    -------
    DataFrame
        Rows with the column ``above``: 0 for an unrelated clip, 1 for a noisy copy, NaN if floor
        and ceiling are less than 0.05 apart.

    Examples
    --------
    >>> "above" in above(make_table("layers"))
    True
    """
    by = ["stimulus", *_PLACE]
    compared = ~layers["condition"].isin([NATURAL, FLOOR, CEILING])
    rows = layers[compared & (layers["reference"] == NATURAL)].join(_ends(layers, by), on=by)
    width = rows[CEILING] - rows[FLOOR]
    rows["above"] = ((rows["value"] - rows[FLOOR]) / width).where(width >= LEAST_RANGE)
    return rows


def _ends(layers: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return mean floor and ceiling, NaN if missing, grouped by the columns `by`."""
    clips = layers[(layers["reference"] == NATURAL) & (layers["axis"] == "clip")]
    means = clips.groupby([*by, "condition"])["value"].agg(lambda v: v.mean(skipna=False))
    return means.unstack("condition").reindex(columns=[FLOOR, CEILING])


def biases(layers: pd.DataFrame) -> pd.DataFrame:
    """Compute the bias of factorised clips in each layer.

    Parameters
    ----------
    layers : DataFrame
        Table ``layers`` of an `Evaluation`.

    Returns
    -------
    DataFrame
        Table ``biases``: similarity to the clip of the appearance minus similarity to the clip of
        the motion. ``limit`` is the bias of the clip of the appearance itself, and -``limit`` that
        of the clip of the motion.

    Examples
    --------
    >>> biases(make_table("layers")).empty
    True
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
    """Describe a normalised similarity outside 0 to 1.

    Parameters
    ----------
    share : float
        Normalised similarity.

    Returns
    -------
    str
        Description; empty from 0 to 1.

    Examples
    --------
    >>> beyond_words(-0.1)
    'below the floor: less similar than unrelated clips'
    """
    if share < 0:
        return "below the floor: less similar than unrelated clips"
    return "above the ceiling: more similar than a noisy copy" if share > 1 else ""


HALF = 0.5  # normalised similarity from which a layer counts as kept; our choice
JUDGED = "pearson"  # measure that verdicts use


def similarity_claims(trends: pd.DataFrame) -> Iterator[Claim]:
    """Judge the similarity of early and of late layers.

    Parameters
    ----------
    trends : DataFrame
        Table ``trends`` of an `Evaluation`.

    Yields
    ------
    Claim
        Kept: the whole interval of the normalised similarity (Pearson correlation) is at least 0.5.
        Lost: it is below. Not testable: in between, or without floor.

    Examples
    --------
    >>> row = ("metamer", "toy", "channels", "pearson", "late", "clips", 5, 0.2, 0.1, 0.3)
    >>> table = make_table("trends", [(*row, "95 % interval")])
    >>> [claim.verdict for claim in similarity_claims(table)]
    ['lost']
    """
    for row in trends[(trends["measure"] == JUDGED) & (trends["part"] != "slope")].itertuples():
        name = f"{row.part} similarity of {row.view} ({row.network})"
        yield Claim(row.condition, name, *_judge(row))


def _judge(row: Any) -> tuple[str, str]:  # noqa: ANN401
    """Return verdict and reason from a row of the trends."""
    if math.isnan(row.mean):
        return UNTESTABLE, (
            f"no unrelated clip was given, or floor and ceiling are less than {LEAST_RANGE:g} apart"
        )
    low, high = Average(row.mean, row.low, row.high, row.bounds).judged
    verdict = KEPT if low >= HALF else LOST if high < HALF else UNTESTABLE
    span = bounds_words(row.units, row.over, row.bounds, f"{row.low:.2f}", f"{row.high:.2f}")
    doubt = ", which the interval includes" if verdict == UNTESTABLE else ""
    beyond = beyond_words(row.mean)
    return verdict, (
        f"normalised similarity {row.mean:.2f}{beyond and f', {beyond}'} ({span}); "
        f"kept if at least {HALF:g}{doubt}"
    )


def label_claims(labels: pd.DataFrame) -> Iterator[Claim]:
    """Judge whether a network gives clips the class of their natural clip.

    Parameters
    ----------
    labels : DataFrame
        Table ``labels`` of an `Evaluation`.

    Yields
    ------
    Claim
        Kept or lost; not testable if noise alone changes the class, or if some clips keep it and
        some lose it.

    Examples
    --------
    >>> rows = [
    ...     ("clip", condition, 0, "toy", label, 0.9, 0.9, 1.0)
    ...     for condition, label in (("natural", "cat"), ("jittered", "cat"), ("metamer", "dog"))
    ... ]
    >>> [claim.verdict for claim in label_claims(make_table("labels", rows))]
    ['lost']
    """
    keys = ["stimulus", "network"]
    natural = labels[labels["condition"] == NATURAL].set_index(keys)[["label", "probability"]]
    pairs = labels.join(natural.add_prefix("own_"), on=keys)
    pairs["kept"] = pairs["label"] == pairs["own_label"]
    pairs["upset"] = (pairs["condition"] == CEILING) & ~pairs["kept"]
    pairs["upset"] = pairs.groupby(keys)["upset"].transform("any")
    metamers = pairs[~pairs["condition"].isin([NATURAL, CEILING, FLOOR])]
    for (condition, network), rows in metamers.groupby(["condition", "network"], sort=False):
        yield Claim(condition, f"top-1 class ({network})", *_judge_labels(rows))


def _judge_labels(pairs: pd.DataFrame) -> tuple[str, str]:
    steady = pairs[~pairs["upset"]]
    if steady.empty:
        return UNTESTABLE, "noise alone changes the class of the natural clip"
    kept, left_out = steady["kept"].sum(), len(pairs) - len(steady)
    verdict = KEPT if kept == len(steady) else LOST if kept == 0 else UNTESTABLE
    omitted = f" ({left_out} left out: noise alone changes their class)" if left_out else ""
    first = steady.iloc[0]
    return verdict, (
        f"same class in {kept} of {len(steady)} clips{omitted}. First clip: natural "
        f"{first['own_label']} (probability {first['own_probability']:.2f}), here {first['label']} "
        f"({first['probability']:.2f}); probability of {first['own_label']} here "
        f"{first['natural']:.3f}"
    )

"""Tables of benchmarks/claims.py, as Markdown: means over clips with their bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from claims_clips import OBJECTS
from stst import Evaluation
from stst.metrics.layer_trends import EARLY, LATE, above
from stst.metrics.measures import MEASURES
from stst.metrics.statistics import average, units

BY_CLIP = (
    *("luminance", "contrast", "pixel_change", "flicker", "temporal_spectrum"),
    *("flow", "speed", "direction_histogram", "motion_energy"),
)
PARTS = ("early", "middle", "late")  # of the layers of a network
CONDITIONS = ("metamer", "stps", "phases-space", "shuffled")


@dataclass(frozen=True, kw_only=True)
class Results:
    """All measurements: of the set, of floor and ceiling, of factorised clips against both clips,
    of next-frame prediction, and of metamers without each preconditioning step."""

    made: Evaluation
    ends: Evaluation
    motion: Evaluation
    predictions: pd.DataFrame
    steps: pd.DataFrame


def tables(of: Results) -> str:
    """Write all tables."""
    sections = {
        "Verdicts": verdicts(of.made),
        "Low-level measures": low_level(of.made, of.ends),
        "Low-level measures, metamers of each clip": by_clip(of.made),
        "Arrangement": arrangement(of.made),
        "Nearer than chance": chance(of.made),
        "Layers": layers(of.made),
        "Layers, metamers of each clip": layers_by_clip(of.made),
        "Layers, each block": blocks(of.made),
        "Classes": classes(of.made),
        "Prediction": prediction(of.predictions),
        "Factorised: bias": bias(of.made),
        "Factorised: motion": factorised(of.motion),
        "Preconditioning": left_out(of.steps),
    }
    return "\n".join(f"## {title}\n\n{table}\n" for title, table in sections.items())


def markdown(head: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def numbers(head: str, table: pd.DataFrame, digits: int) -> str:
    """Format a table of numbers, its index in the first column."""
    rows = ([name, *(f"{v:.{digits}f}" for v in row)] for name, *row in table.itertuples())
    return markdown([head, *table], rows)


def span(values: Sequence[float] | pd.Series, scale: float = 1, digits: int = 2) -> str:
    """Format a mean with its bounds, such as ``0.12 (0.05 to 0.20)``."""
    mean, low, high, _ = average(values)
    if math.isnan(mean):
        return "-"
    ends = f" ({scale * low:.{digits}f} to {scale * high:.{digits}f})"
    return f"{scale * mean:.{digits}f}" + ends * math.isfinite(low)


def mean(rows: pd.DataFrame, scale: float = 1, digits: int = 2) -> str:
    """Format the mean over clips, each the mean of its seeds."""
    return span(units(rows), scale, digits)


def verdicts(made: Evaluation) -> str:
    table = made.table
    return markdown(["", *table], table.itertuples())


def low_level(made: Evaluation, ends: Evaluation) -> str:
    errors = pd.concat([made.errors, ends.errors])
    columns = (*CONDITIONS, "unrelated clip", "noisy copy")

    def cells(measure: str) -> Iterator[str]:
        rows = errors[errors["measure"] == measure]
        yield measure
        for name in columns:
            yield mean(rows[rows["condition"] == name], 100, 0)

    return markdown(["error in %", *columns], map(cells, MEASURES))


def by_clip(made: Evaluation) -> str:
    rows = made.errors[made.errors["condition"] == "metamer"]
    table = rows.pivot_table("value", "stimulus", "measure", sort=False)[list(BY_CLIP)] * 100
    return numbers("error in %", table, 0)


def arrangement(made: Evaluation) -> str:
    rows = made.arrangement
    rows = rows[(rows["axis"] == "clip") & (rows["reference"] == "natural")]
    columns = [(p, m) for p in ("luminance", "colour") for m in ("shape", "layout", "drift")]

    def cells(of: pd.DataFrame, form: str) -> Iterator[str]:
        for part, measure in columns:
            values = of[(of["part"] == part) & (of["measure"] == measure)]
            yield mean(values) if form == "mean" else ", ".join(f"{v:.2f}" for v in values["value"])

    metamers = rows[rows["condition"] == "metamer"]
    lines = [[clip, *cells(own, "each")] for clip, own in metamers.groupby("stimulus", sort=False)]
    objects = metamers[metamers["stimulus"].isin(OBJECTS)]
    lines.append(["mean of clips with an object", *cells(objects, "mean")])
    names = {name: name for name in (*CONDITIONS, "factorised")}
    for condition, name in (names | {"unrelated": "floor", "jittered": "ceiling"}).items():
        own = rows[rows["condition"] == condition]
        if name in ("floor", "ceiling"):  # of single clips alone, not again for each pair
            own = own[own["stimulus"].isin(metamers["stimulus"].unique())]
        lines.append([f"mean of {name}", *cells(own, "mean")])
    return markdown(["", *(f"{measure}, {part}" for part, measure in columns)], lines)


def chance(made: Evaluation) -> str:
    rows = made.chance[made.chance["condition"].isin(["metamer", "factorised"])]
    lines = []
    for (condition, layer), own in rows.groupby(["condition", "layer"], sort=False):
        share = own["residual"] / own["null"]
        worst = own.loc[share.idxmax()]
        lines.append([
            condition, layer, span(units(own.assign(value=own["residual"]))),
            span(units(own.assign(value=own["null"]))), f"{share.max():.2f} ({worst['stimulus']})",
        ])  # fmt: skip
    head = ["", "layer", "residual", "5th percentile of unrelated frames", "largest share"]
    return markdown(head, lines)


def layers(made: Evaluation) -> str:
    rows = made.trends[made.trends["measure"] == "pearson"]
    parts = ("early", "late", "slope")

    def cells(own: pd.DataFrame) -> Iterator[str]:
        for part in parts:
            row = own[own["part"] == part].iloc[0]
            yield f"{row['mean']:.2f} ({row['low']:.2f} to {row['high']:.2f})"

    by = rows.groupby(["view", "condition"], sort=False)
    return markdown(["view", "", *parts], ([*key, *cells(own)] for key, own in by))


def layers_by_clip(made: Evaluation) -> str:
    rows = above(made.layers)
    rows = rows[
        (rows["condition"] == "metamer") & (rows["measure"] == "pearson") & (rows["axis"] == "clip")
    ]
    ends = {"early": rows["depth"] <= EARLY, "late": rows["depth"] >= LATE}
    columns = [(view, part) for view in ("channels", "places") for part in ends]

    def cells(stimuli: Sequence[str], form: str) -> Iterator[str]:
        for view, part in columns:
            own = rows[ends[part] & (rows["view"] == view) & rows["stimulus"].isin(stimuli)]
            own = own.assign(value=own["above"]).dropna(subset="value")
            yield mean(own) if form == "mean" else f"{own['value'].mean():.2f}"

    clips = list(rows["stimulus"].unique())
    lines = [[clip, *cells([clip], "each")] for clip in clips]
    lines.append(["mean of clips with an object", *cells(OBJECTS, "mean")])
    lines.append(["mean of textures", *cells([c for c in clips if c not in OBJECTS], "mean")])
    return markdown(["", *(f"{part}, {view}" for view, part in columns)], lines)


def blocks(made: Evaluation) -> str:
    rows = made.profiles
    rows = rows[(rows["measure"] == "pearson") & (rows["view"] == "channels")]
    rows = rows.assign(layer=rows["layer"].str.removeprefix("_blocks."))
    wide = rows.pivot_table("mean", "layer", "condition", sort=False)[[*CONDITIONS]]
    ends = rows[rows["condition"] == "metamer"].set_index("layer")[["floor", "ceiling"]]
    return numbers("block", wide.join(ends), 2)


def classes(made: Evaluation) -> str:
    rows = made.claims[made.claims["measure"].str.startswith("top-1")]
    return markdown(["", "verdict", "reason"], rows[["condition", "verdict", "why"]].values)


def prediction(predictions: pd.DataFrame) -> str:
    columns = ["natural", *CONDITIONS]
    wide = predictions.pivot_table("value", "stimulus", "condition", sort=False)[columns]
    lines = [[clip, *(f"{v:.2f}" for v in row)] for clip, *row in wide.itertuples()]
    lines.append(["mean", *(span(wide[name]) for name in columns)])
    apart = [span(wide["natural"] - wide[name]) for name in CONDITIONS]
    lines.append(["natural minus it", "", *apart])
    lower = [f"{(wide['natural'] < wide[name]).sum()} of {len(wide)}" for name in CONDITIONS]
    lines.append(["natural is lower in", "", *lower])
    return markdown(["MSE / repeating", *columns], lines)


def bias(made: Evaluation) -> str:
    rows = made.layers[(made.layers["measure"] == "pearson") & (made.layers["axis"] == "clip")]
    keys = ["stimulus", "condition", "seed", "view", "layer", "depth"]
    wide = rows.pivot_table("value", keys, "reference", sort=False).reset_index()
    limit = wide["condition"] == "natural"  # the clip of the appearance itself: its own r is 1
    wide["value"] = wide["natural"].where(~limit, 1) - wide["time"]
    wide = wide[limit | (wide["condition"] == "factorised")].dropna(subset="value")
    wide["part"] = pd.cut(wide["depth"], [-1, EARLY, LATE - 1e-9, 1], labels=PARTS)

    def cells(own: pd.DataFrame, form: str) -> Iterator[str]:
        for part in ("early", "late"):
            for condition in ("factorised", "natural"):
                of = own[(own["part"] == part) & (own["condition"] == condition)]
                yield mean(of) if form == "mean" else f"{of['value'].mean():.2f}"

    lines = []
    for view, all_pairs in wide.groupby("view", sort=False):
        for pair, own in all_pairs.groupby("stimulus", sort=False):
            lines.append([view, pair, *cells(own, "each")])
        lines.append([view, "mean", *cells(all_pairs, "mean")])
    return markdown(["view", "pair", "early", "limit", "late", "limit"], lines)


def factorised(motion: Evaluation) -> str:
    rows = motion.errors[motion.errors["measure"].isin(MEASURES)]

    def cells(measure: str) -> Iterator[str]:
        own = rows[rows["measure"] == measure]
        yield measure
        for target in ("appearance", "motion"):
            yield mean(own[own["condition"] == target], 100, 0)
        wide = own.pivot_table("value", "stimulus", "condition")
        yield f"{(wide['motion'] < wide['appearance']).sum()} of {len(wide)}"

    head = ["error in %", "against the clip of the appearance", "of the motion", "nearer to motion"]
    return markdown(head, map(cells, MEASURES))


def left_out(steps: pd.DataFrame) -> str:
    rows = steps[steps["value"].notna()]
    outcomes = list(rows["outcome"].unique())

    def cells(own: pd.DataFrame) -> Iterator[str]:
        for outcome in outcomes:
            yield mean(own[own["outcome"] == outcome])

    by = rows.groupby("without", sort=False)
    return markdown(["left out", *outcomes], ([step, *cells(own)] for step, own in by))

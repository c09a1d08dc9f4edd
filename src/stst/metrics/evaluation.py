"""All that was found out about stimuli, as tables, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from stst.errors import RunError
from stst.errors.arguments import checked
from stst.metrics.arrangement import place_claims
from stst.metrics.bounds import bounds_words
from stst.metrics.chance import chance_claims
from stst.metrics.layer_trends import biases, label_claims, profiles, similarity_claims, trends
from stst.metrics.measures import MEASURES
from stst.metrics.statistics import KEPT, LOST, UNTESTABLE, Average, Claim, contrast, summarise
from stst.metrics.tables import make_table, plain, read_table, to_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Tables that are measured, by the names of their files; the others follow from them.
MEASURED = ("values", "errors", "layers", "labels", "arrangement", "chance")


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """What was measured, and what follows from it; all tables are pandas DataFrames.

    In each, ``stimulus`` is the natural clip, ``condition`` what was made of it (``natural`` for
    itself, ``jittered`` and ``unrelated`` for ceiling and floor) and ``seed`` counts its clips.
    ``axis`` says what ``at`` is: ``"frame"`` and its index (of the first one, where several are
    compared), a unit and the place along it, or ``"clip"`` and nothing, for all frames together.
    ``reference`` is what a clip is compared with: ``"natural"``, or ``"time"``, which a factorised
    clip has its motion from.

    Parameters
    ----------
    values : DataFrame
        All measures of all clips, the natural ones among them.
    errors : DataFrame
        How far each clip is from its natural one in each measure; NaN where that cannot be told.
    layers : DataFrame
        Similarity of each clip to its natural one in the layers of networks. ``depth`` is 0 for
        the first layer looked at and 1 for the last; ``view`` is ``"places"`` (units) or
        ``"channels"`` (their means over places).
    labels : DataFrame
        What networks take clips for: the class of the highest mean probability over frames, the
        probability of the class that the ``natural`` clip is taken for, and the ``share`` of
        frames that are taken for it.
    arrangement : DataFrame
        How much of the natural arrangement is left; ``"clip"`` is of the second half of the frames.
    chance : DataFrame
        The residual of each layer of a metamer, mean over frames, beside errors between unrelated
        windows of ``clips`` clips: their 5th percentile (``null``) and ``median``.

    Examples
    --------
    >>> Evaluation()
    Evaluation(no stimuli)
    """

    values: pd.DataFrame = field(default_factory=partial(make_table, "values"))
    errors: pd.DataFrame = field(default_factory=partial(make_table, "errors"))
    layers: pd.DataFrame = field(default_factory=partial(make_table, "layers"))
    labels: pd.DataFrame = field(default_factory=partial(make_table, "labels"))
    arrangement: pd.DataFrame = field(default_factory=partial(make_table, "arrangement"))
    chance: pd.DataFrame = field(default_factory=partial(make_table, "chance"))

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Mean error of each condition and measure; `bounds` says what ``low`` and ``high`` are.

        From four clips or seeds on they are a 95 % bootstrap interval, of fewer the range.
        """
        return summarise(self.errors)

    @cached_property
    def contrasts(self) -> pd.DataFrame:
        """Differences between conditions, the p of a permutation test, and the least it can be."""
        return contrast(self.errors)

    @cached_property
    def profiles(self) -> pd.DataFrame:
        """Similarity over the layers of networks, between floor and ceiling."""
        return profiles(self.layers)

    @cached_property
    def trends(self) -> pd.DataFrame:
        """Early and late similarity above the floor, and its slope over layers."""
        return trends(self.layers)

    @cached_property
    def biases(self) -> pd.DataFrame:
        """What factorised clips are more like, layer by layer."""
        return biases(self.layers)

    @cached_property
    def claims(self) -> pd.DataFrame:
        """What each condition has kept and lost, in words."""
        parts = [make_table("claims", claims(self.summary)), self.metamer_claims, self.deep_claims]
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def metamer_claims(self) -> pd.DataFrame:
        """What of the `claims` is on metamers as such: object gone, layers matched."""
        return make_table("claims", [*place_claims(self.arrangement), *chance_claims(self.chance)])

    @cached_property
    def deep_claims(self) -> pd.DataFrame:
        """What of the `claims` is to networks."""
        return make_table("claims", [*similarity_claims(self.trends), *label_claims(self.labels)])

    @property
    def table(self) -> pd.DataFrame:
        """The verdicts: a row for each measure, a column for each condition."""
        verdicts = self.claims.set_index(["measure", "condition"])["verdict"].unstack(fill_value="")
        measures, conditions = (self.claims[name].unique() for name in ("measure", "condition"))
        return verdicts.reindex(index=measures, columns=conditions)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name; those on networks are empty where none was asked."""
        derived = ("profiles", "trends", "biases", "claims")
        names = ("values", "errors", "summary", "contrasts", *MEASURED[2:], *derived)
        return {name: getattr(self, name) for name in names}

    def plain(self) -> dict[str, Any]:
        """All tables as plain data, for JSON."""
        return {name: plain(table) for name, table in self.tables.items()}

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw every error as a point, with means, intervals and tolerances.

        Parameters
        ----------
        path : str or Path, optional
            Where to save the figure, in a format that its ending names.

        Returns
        -------
        matplotlib.figure.Figure
            Free of pyplot, so nothing has to be closed.
        """
        from stst.drawing.figures import error_figure  # Matplotlib: who does not draw needs none

        rows = {name: (measure.label, measure.tolerance) for name, measure in MEASURES.items()}
        figure = error_figure(self.errors, self.summary, rows)
        if path is not None:
            figure.savefig(path)
        return figure

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write each table as ``NAME.csv``, numbers to nine digits; `load` reads them again.

        Raises
        ------
        RunError
            If an evaluation is there already, and may not be overwritten.
        """
        folder = Path(folder)
        if (folder / "values.csv").exists() and not overwrite:
            raise RunError(f"{folder} holds an evaluation. Give another folder, or overwrite=True.")
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            (folder / f"{name}.csv").write_text(to_csv(table), "utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` or `stst evaluate` wrote into a folder.

        Raises
        ------
        RunError
            If a table that was measured is missing or damaged.
        """
        folder = Path(folder)
        try:
            return cls(**{name: read_table(folder / f"{name}.csv", name) for name in MEASURED})
        except (OSError, ValueError, KeyError) as error:
            raise RunError(
                f"{folder} holds no whole evaluation ({error}). Give a folder that "
                "Evaluation.save or stst evaluate wrote."
            ) from error

    def __repr__(self) -> str:
        names = self.values["stimulus"].unique()
        stimuli = ", ".join(names) if 0 < len(names) < 4 else f"{len(names) or 'no'} stimuli"
        counts = [
            f"{condition}: {verdicts.eq(KEPT).sum()} kept, {verdicts.eq(LOST).sum()} lost"
            for condition, verdicts in self.claims.groupby("condition", sort=False)["verdict"]
        ]
        return f"Evaluation({'; '.join([stimuli, *counts])})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table.to_html()}"


def claims(summary: pd.DataFrame) -> Iterator[Claim]:
    """A verdict on each condition and measure: kept, if the interval is within the tolerance.

    Of values too few for an interval the mean alone is judged.
    """
    for row in summary.itertuples():
        yield Claim(row.condition, row.measure, *_judge(row))


def by_verdict(claims: pd.DataFrame) -> dict[str, dict[str, list[str]]]:
    """Condition -> verdict -> measures."""
    return {
        condition: {
            verdict: own.loc[own["verdict"] == verdict, "measure"].to_list()
            for verdict in (KEPT, LOST, UNTESTABLE)
        }
        for condition, own in claims.groupby("condition", sort=False)
    }


def _judge(row: Any) -> tuple[str, str]:  # noqa: ANN401
    """Verdict and reason from a row of the summary."""
    most = MEASURES[row.measure].tolerance
    if math.isnan(row.mean):
        return UNTESTABLE, "the natural clip has too little of it to tell"
    low, high = Average(row.mean, row.low, row.high, row.bounds).judged
    verdict = KEPT if high <= most else LOST if low > most else UNTESTABLE
    span = bounds_words(row.units, "", row.bounds, _percent(row.low), _percent(row.high))
    doubt = ", which the interval holds" if verdict == UNTESTABLE else ""
    return verdict, f"error {_percent(row.mean)} ({span}); at most {_percent(most)} is kept{doubt}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"


@checked
def concat_evaluations(evaluations: Iterable[Evaluation]) -> Evaluation:
    """Put evaluations together, such as those of several natural clips.

    Means, intervals and tests are then over these clips.
    """
    parts = [Evaluation(), *evaluations]
    tables = {name: [getattr(part, name) for part in parts] for name in MEASURED}
    return Evaluation(**{name: pd.concat(t, ignore_index=True) for name, t in tables.items()})

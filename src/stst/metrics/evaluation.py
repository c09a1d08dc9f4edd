"""Results of an evaluation: tables of measurements, and the summaries and verdicts from them."""

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

# Measured tables, named as their files; the other tables are computed from them.
MEASURED = ("values", "errors", "layers", "labels", "arrangement", "chance")


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """Hold the measurements of an evaluation, and the summaries and verdicts from them.

    All tables are pandas DataFrames. `evaluate` makes an evaluation; `load` reads one.

    Parameters
    ----------
    values : DataFrame, optional
        Values of all measures in all clips, the natural clips included.
    errors : DataFrame, optional
        Error of each clip against its natural clip in each measure; NaN if not testable.
    layers : DataFrame, optional
        Similarity of each clip to its natural clip in the layers of networks. ``depth`` is 0 for
        the first layer and 1 for the last; ``view`` is ``"places"`` (each channel at each position)
        or ``"channels"`` (means over positions).
    labels : DataFrame, optional
        Class that a network gives each clip: the class with the highest mean probability over
        frames, the probability of the class of the natural clip (``natural``), and the ``share`` of
        frames with that class.
    arrangement : DataFrame, optional
        How much of the natural arrangement is left in each frame and in the clip (second half of
        the frames).
    chance : DataFrame, optional
        Mean residual of each matched layer of a metamer, and the errors between unrelated windows
        of ``clips`` clips: 5th percentile (``null``) and ``median``.

    Attributes
    ----------
    summary, contrasts, profiles, trends, biases, claims : DataFrame
        Tables computed from the measured ones.
    table : DataFrame
        Verdicts by measure and condition.

    Notes
    -----
    Columns that several tables share:

    - ``stimulus``: natural clip.
    - ``condition``: what was made from it, such as ``metamer``; ``natural`` is the clip itself,
      ``jittered`` the ceiling and ``unrelated`` the floor.
    - ``seed``: counts the clips of a condition, from 0.
    - ``axis`` and ``at``: ``"frame"`` and its index (the first, if several are compared), a unit
      and the place along it, or ``"clip"`` and nothing for the mean over frames.
    - ``reference``: clip that a clip is compared with, ``"natural"``, or ``"time"`` for the clip of
      the motion of a factorised clip.

    Examples
    --------
    >>> import stst
    >>> clip = stst.make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
    >>> evaluation = stst.evaluate(clip, {"same": clip})
    >>> evaluation.table.loc["contrast", "same"]
    'kept'
    """

    values: pd.DataFrame = field(default_factory=partial(make_table, "values"))
    errors: pd.DataFrame = field(default_factory=partial(make_table, "errors"))
    layers: pd.DataFrame = field(default_factory=partial(make_table, "layers"))
    labels: pd.DataFrame = field(default_factory=partial(make_table, "labels"))
    arrangement: pd.DataFrame = field(default_factory=partial(make_table, "arrangement"))
    chance: pd.DataFrame = field(default_factory=partial(make_table, "chance"))

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Mean error of each condition and measure, with its bounds.

        With four clips or seeds or more, ``low`` and ``high`` are a 95 % bootstrap interval; with
        two or three, the range.

        Examples
        --------
        >>> Evaluation().summary.columns.to_list()[:3]
        ['condition', 'measure', 'units']
        """
        return summarise(self.errors)

    @cached_property
    def contrasts(self) -> pd.DataFrame:
        """Differences of errors between conditions.

        ``p`` is that of a permutation test, and ``least_p`` the smallest p that the test can give.

        Examples
        --------
        >>> Evaluation().contrasts.columns.to_list()[4:]
        ['difference', 'p', 'least_p']
        """
        return contrast(self.errors)

    @cached_property
    def profiles(self) -> pd.DataFrame:
        """Similarity in each layer of each network, with floor and ceiling.

        Examples
        --------
        >>> "ceiling" in Evaluation().profiles
        True
        """
        return profiles(self.layers)

    @cached_property
    def trends(self) -> pd.DataFrame:
        """Normalised similarity in early and late layers, and its slope over layers.

        Examples
        --------
        >>> "part" in Evaluation().trends
        True
        """
        return trends(self.layers)

    @cached_property
    def biases(self) -> pd.DataFrame:
        """Similarity to the clip of the appearance minus that to the clip of the motion, by layer.

        Examples
        --------
        >>> "limit" in Evaluation().biases
        True
        """
        return biases(self.layers)

    @cached_property
    def claims(self) -> pd.DataFrame:
        """All verdicts, with reasons: kept, lost or not testable.

        Examples
        --------
        >>> Evaluation().claims.columns.to_list()
        ['condition', 'measure', 'verdict', 'why']
        """
        parts = [make_table("claims", claims(self.summary)), self.metamer_claims, self.deep_claims]
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def metamer_claims(self) -> pd.DataFrame:
        """Verdicts on metamers: whether the object is gone and the layers are matched.

        Examples
        --------
        >>> Evaluation().metamer_claims.empty
        True
        """
        return make_table("claims", [*place_claims(self.arrangement), *chance_claims(self.chance)])

    @cached_property
    def deep_claims(self) -> pd.DataFrame:
        """Verdicts on networks: similarity of layers, and class.

        Examples
        --------
        >>> Evaluation().deep_claims.empty
        True
        """
        return make_table("claims", [*similarity_claims(self.trends), *label_claims(self.labels)])

    @property
    def table(self) -> pd.DataFrame:
        """Verdicts: one row per measure, one column per condition.

        Examples
        --------
        >>> Evaluation().table.shape
        (0, 0)
        """
        verdicts = self.claims.set_index(["measure", "condition"])["verdict"].unstack(fill_value="")
        measures, conditions = (self.claims[name].unique() for name in ("measure", "condition"))
        return verdicts.reindex(index=measures, columns=conditions)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name; those on networks are empty if no network was used.

        Examples
        --------
        >>> list(Evaluation().tables)[:4]
        ['values', 'errors', 'summary', 'contrasts']
        """
        derived = ("profiles", "trends", "biases", "claims")
        names = ("values", "errors", "summary", "contrasts", *MEASURED[2:], *derived)
        return {name: getattr(self, name) for name in names}

    def plain(self) -> dict[str, Any]:
        """Convert all tables to plain data for JSON.

        Returns
        -------
        dict of str to list of dict
            Rows of each table, with None for NaN.

        Examples
        --------
        >>> Evaluation().plain()["errors"]
        []
        """
        return {name: plain(table) for name, table in self.tables.items()}

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw the errors of all measures, with means, bounds and tolerances.

        Parameters
        ----------
        path : str or Path, optional
            File to save the figure to; its ending gives the format.

        Returns
        -------
        matplotlib.figure.Figure
            Figure. It is independent of pyplot and need not be closed.

        Examples
        --------
        >>> import stst
        >>> clip = stst.make_stimulus("dead-leaves", frames=6, height=64, width=64, speed=2).clip
        >>> figure = stst.evaluate(clip, {"same": clip}).plot()
        >>> figure.axes[0].get_ylabel()
        'measure'
        """
        from stst.drawing.figures import error_figure  # loads Matplotlib, which only drawing needs

        rows = {name: (measure.label, measure.tolerance) for name, measure in MEASURES.items()}
        figure = error_figure(self.errors, self.summary, rows)
        if path is not None:
            figure.savefig(path)
        return figure

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write each table as ``NAME.csv``, with nine digits.

        Parameters
        ----------
        folder : str or Path
            Folder, created if needed.
        overwrite : bool, default False
            Replace an evaluation in that folder.

        Raises
        ------
        RunError
            If the folder holds an evaluation and `overwrite` is False.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Evaluation().save(folder)
        ...     Evaluation.load(folder)
        Evaluation(no stimuli)
        """
        folder = Path(folder)
        if (folder / "values.csv").exists() and not overwrite:
            raise RunError(
                f"{folder} already holds an evaluation. Give another folder, or overwrite=True."
            )
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            (folder / f"{name}.csv").write_text(to_csv(table), "utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read an evaluation that `save` or ``stst evaluate`` wrote.

        Parameters
        ----------
        folder : str or Path
            Folder of the evaluation.

        Returns
        -------
        Evaluation
            Evaluation.

        Raises
        ------
        RunError
            If a measured table is missing or damaged.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Evaluation().save(folder)
        ...     Evaluation.load(folder)
        Evaluation(no stimuli)
        """
        folder = Path(folder)
        try:
            return cls(**{name: read_table(folder / f"{name}.csv", name) for name in MEASURED})
        except (OSError, ValueError, KeyError) as error:
            raise RunError(
                f"{folder} holds no complete evaluation ({error}). Give a folder that "
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
    """Judge each condition and measure.

    Parameters
    ----------
    summary : DataFrame
        Table ``summary`` of an `Evaluation`.

    Yields
    ------
    Claim
        Kept: the whole interval is within the tolerance. Lost: it is above. Not testable: it
        includes the tolerance, or the natural clip has too little to test. With too few values for
        an interval the mean alone is judged.

    Examples
    --------
    >>> row = ("metamer", "contrast", 1, 0.02, float("nan"), float("nan"), "none")
    >>> [claim.verdict for claim in claims(make_table("summary", [row]))]
    ['kept']
    """
    for row in summary.itertuples():
        yield Claim(row.condition, row.measure, *_judge(row))


def by_verdict(claims: pd.DataFrame) -> dict[str, dict[str, list[str]]]:
    """Group measures by condition and verdict.

    Parameters
    ----------
    claims : DataFrame
        Table ``claims`` of an `Evaluation`.

    Returns
    -------
    dict of str to dict
        For each condition, the measures of each verdict.

    Examples
    --------
    >>> by_verdict(make_table("claims", [("metamer", "contrast", "kept", "")]))
    {'metamer': {'kept': ['contrast'], 'lost': [], 'not testable': []}}
    """
    return {
        condition: {
            verdict: own.loc[own["verdict"] == verdict, "measure"].to_list()
            for verdict in (KEPT, LOST, UNTESTABLE)
        }
        for condition, own in claims.groupby("condition", sort=False)
    }


def _judge(row: Any) -> tuple[str, str]:  # noqa: ANN401
    """Return verdict and reason from a row of the summary."""
    most = MEASURES[row.measure].tolerance
    if math.isnan(row.mean):
        return UNTESTABLE, "the natural clip has too little of it to test"
    low, high = Average(row.mean, row.low, row.high, row.bounds).judged
    verdict = KEPT if high <= most else LOST if low > most else UNTESTABLE
    span = bounds_words(row.units, "", row.bounds, _percent(row.low), _percent(row.high))
    doubt = ", which the interval includes" if verdict == UNTESTABLE else ""
    return verdict, f"error {_percent(row.mean)} ({span}); kept if at most {_percent(most)}{doubt}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"


@checked
def concat_evaluations(evaluations: Iterable[Evaluation]) -> Evaluation:
    """Pool evaluations, such as those of several natural clips.

    Parameters
    ----------
    evaluations : iterable of Evaluation
        Evaluations.

    Returns
    -------
    Evaluation
        Evaluation of all clips. Means, intervals and tests are then over natural clips.

    Examples
    --------
    >>> import stst
    >>> parts = []
    >>> for seed in range(2):
    ...     clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32, seed=seed).clip
    ...     parts.append(stst.evaluate(clip, {"same": clip}, stimulus=f"leaves_{seed}"))
    >>> stst.concat_evaluations(parts).values["stimulus"].unique().tolist()
    ['leaves_0', 'leaves_1']
    """
    parts = [Evaluation(), *evaluations]
    tables = {name: [getattr(part, name) for part in parts] for name in MEASURED}
    return Evaluation(**{name: pd.concat(t, ignore_index=True) for name, t in tables.items()})

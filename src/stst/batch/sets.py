"""A set made of a plan: `stst.make_set`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stst.batch.clusters import Tls, machine
from stst.batch.items import planned
from stst.batch.orders import Orders
from stst.batch.stages import Listener, carry_out, weights
from stst.errors import RecipeError


@dataclass(frozen=True)
class MadeSet:
    """What became of a set.

    Parameters
    ----------
    items : tuple of str
        Names of all its items: their folders below that of the set.
    failed : dict of str
        Why items could not be made, by their names; empty if all are there.
    """

    items: tuple[str, ...]
    failed: dict[str, str]


def make_set(
    plan: str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    tls: Tls = (None, None, None),
    slurm: bool = False,
    overwrite: bool = False,
    progress: Listener | None = None,
) -> MadeSet:
    """Make all stimuli of a plan: natural clips, metamers, factorised pairs, controls.

    As ``stst batch``: called again it goes on where it was stopped, and makes nothing twice.
    Workers are processes that import the script which calls this, so that the call must be
    below ``if __name__ == "__main__":``.

    Parameters
    ----------
    plan : str or Path
        A YAML file; docs/batch.md says what it holds.
    out : str or Path
        The folder of the set; each stimulus has a folder of a run in it.
    workers : int, optional
        Processes of this machine; else as many as fit.
    scheduler : str, optional
        Address of a scheduler of Dask whose workers make the set instead:
        ``tcp://host:8786`` or ``tls://host:8786``.
    tls : tuple of Path or None
        CA, certificate and key of a ``tls://`` scheduler, PEM files.
    slurm : bool
        Jobs of SLURM make the set, with the resources of the plan.
    overwrite : bool
        Replace items that are there and are of other settings, which are refused otherwise.
    progress : callable, optional
        Is given a `stst.batch.stages.Progress` when a stage begins and whenever an item has ended.

    Returns
    -------
    MadeSet
        Its items, and why some could not be made; `stimuli.csv` in `out` lists those that are
        there.

    Raises
    ------
    RecipeError
        If the plan cannot be carried out; all that is wrong is named before anything begins.
    RunError
        If `out` is in use or holds items of other settings, or workers cannot be reached.

    Examples
    --------
    >>> import stst
    >>> if __name__ == "__main__":  # doctest: +SKIP
    ...     made = stst.make_set("plan.yaml", "set", workers=2, progress=print)
    ...     print(made.failed)
    """
    if sum((workers is not None, scheduler is not None, slurm)) > 1:
        raise RecipeError("give one of workers, scheduler and slurm, not several.")
    out = Path(out)
    wanted, items = planned(Path(plan), out)
    connect, threads = machine(
        wanted, out, workers=workers, scheduler=scheduler, tls=tls, slurm=slurm
    )
    orders = Orders(wanted, out, weights(items), threads=threads, overwrite=overwrite)
    failed = carry_out(wanted, items, orders, out, connect, progress or (lambda _: None))
    return MadeSet(tuple(item.name for item in items), failed)

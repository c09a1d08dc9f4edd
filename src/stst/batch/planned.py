"""A plan read and found good: its items."""

from __future__ import annotations

from pathlib import Path

from stst.batch.item import Item
from stst.batch.items import items_of
from stst.batch.plan import Plan, read_plan, refusal


def planned(plan: Path, out: Path) -> tuple[Plan, list[Item]]:
    """Read a plan's file and list its items for a set in `out`; nothing is made.

    Raises
    ------
    RecipeError
        If it cannot be read or carried out; all that is wrong is named.
    """
    wanted, wrong = read_plan(plan)
    items, more = items_of(wanted, plan.absolute().parent, out)
    if wrong := wrong + more:
        raise refusal(plan, wrong)
    return wanted, items

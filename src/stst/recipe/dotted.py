"""Settings by their dotted names, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from stst.errors import RecipeError, guess, only_known

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], settings: Mapping[str, object], where: str) -> Model:
    """Make a model of its settings; RecipeError names the one of `where` that is wrong."""
    only_known(settings, model.model_fields, where)
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise RecipeError(f"{where}: {explain(error)}") from None


def explain(error: ValidationError) -> str:
    """Put the first fault of a validation into one line: where, what is wrong, what came."""
    return faults(error)[0]


def faults(error: ValidationError) -> list[str]:
    """All faults of a validation, each in one line."""
    return [
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg'][0].lower()}{fault['msg'][1:]}, "
        f"got {fault['input']!r:.80}."
        for fault in error.errors()
    ]


def place(data: Any, dotted: str, value: object) -> None:  # noqa: ANN401
    """Set one setting in nested plain data; refuses a name that is not there."""
    *path, last = dotted.split(".")
    for part in path:
        data = data[_key(data, part, dotted)]
    data[_key(data, last, dotted)] = value


def _key(data: Any, part: str, dotted: str) -> Any:  # noqa: ANN401
    known = range(len(data)) if isinstance(data, list) else data
    known = list(known) if isinstance(data, dict | list) else []
    for key in known:
        if str(key) == part:
            return key
    names = [str(key) for key in known]
    raise RecipeError(
        f"a recipe has no setting {dotted!r}.{guess(part, names)} "
        f"In place of {part!r} there could be: {', '.join(names) or 'nothing'}."
    )

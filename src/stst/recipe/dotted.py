"""Settings by their dotted names, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from stst.errors import RecipeError, guess, only_known

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], settings: Mapping[str, object], where: str) -> Model:
    """Make a model of its settings; RecipeError names the one of `where` that is wrong."""
    only_known(settings, model.model_fields, where)
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise RecipeError(f"{where}: {explain(error, model)}") from None


def explain(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Put the first fault of a validation into one line: where, what is wrong, what came.

    With the `model` that was validated a name that is not known gets the known ones.
    """
    fault = error.errors()[0]
    if model is None or fault["type"] != "extra_forbidden":
        return faults(error)[0]
    *path, last = fault["loc"]
    known = _names_at(model, path)
    return f"{faults(error)[0]}{guess(str(last), known)} There is: {', '.join(known)}."


def faults(error: ValidationError) -> list[str]:
    """All faults of a validation, each in one line."""
    return [
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg'][0].lower()}{fault['msg'][1:]}, "
        f"got {fault['input']!r:.80}."
        for fault in error.errors()
    ]


def _names_at(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Names of the settings at a place in nested models."""
    models = [model]
    for name in (part for part in path if isinstance(part, str)):
        fields = [one.model_fields[name] for one in models if name in one.model_fields]
        models = [one for field in fields for one in _models_in(field.annotation)]
    return [name for one in models for name in one.model_fields]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


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

"""Frozen settings, refused where they are wrong; their dotted names. No torch here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from stst.errors import RecipeError, guess, only_known

Model = TypeVar("Model", bound=BaseModel)


class FrozenConfig(BaseModel):
    """Frozen settings that refuse what they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **settings: object) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise RecipeError(f"{type(self).__name__}: {explain(error, type(self))}") from None

    # Settings within settings are then made as pydantic makes them: it names the place of a fault.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def parse(cls, data: Any) -> Self:  # noqa: ANN401
        """Validate plain data, such as a YAML file holds; RecipeError names the setting."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise RecipeError(explain(error, cls)) from None

    def __repr_args__(self) -> Iterable[tuple[str | None, object]]:
        """The settings that are not as they are by default."""
        fields = type(self).model_fields
        for name, value in super().__repr_args__():
            if name not in fields or value != fields[name].get_default():
                yield name, value

    def to_yaml(self) -> str:
        """Text that ``parse`` (after ``yaml.safe_load``) turns into these settings again."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change whenever any setting does."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


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
        fields = [model.model_fields[name] for model in models if name in model.model_fields]
        models = [model for field in fields for model in _models_in(field.annotation)]
    return [name for model in models for name in model.model_fields]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def set_by_path(data: Any, dotted: str, value: object) -> None:  # noqa: ANN401
    """Set one setting in nested plain data; refuses a name that is not there."""
    path = dotted.split(".")
    for depth, part in enumerate(path):
        known = range(len(data)) if isinstance(data, list) else data
        keys = {str(key): key for key in known} if isinstance(data, dict | list) else {}
        if part not in keys:
            raise RecipeError(
                f"a recipe has no setting {dotted!r}.{guess(part, keys)} "
                f"In place of {part!r} there could be: {', '.join(keys) or 'nothing'}."
            )
        if depth + 1 == len(path):
            data[keys[part]] = value
        else:
            data = data[keys[part]]

"""Frozen, validated settings and their dotted names, without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from stst.errors import RecipeError, guess, only_known
from stst.recipe.parameters import with_parameters

Model = TypeVar("Model", bound=BaseModel)


class FrozenConfig(BaseModel):
    """Base class of settings: frozen, and unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **settings: object) -> None:
        try:
            super().__init__(**settings)
        except ValidationError as error:
            raise RecipeError(f"{type(self).__name__}: {explain(error, type(self))}") from None

    # Nested settings then bypass this constructor, and pydantic reports the path of an error.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401
        """Describe the settings in the docstring, unless it does so itself."""
        super().__pydantic_init_subclass__(**kwargs)
        cls.__doc__ = with_parameters(cls)

    @classmethod
    def parse(cls, data: Any) -> Self:  # noqa: ANN401
        """Validate plain data, for example the content of a YAML file.

        Parameters
        ----------
        data : dict
            Settings by name; nested settings are dicts.

        Returns
        -------
        FrozenConfig
            Settings of this class.

        Raises
        ------
        RecipeError
            A setting is unknown or invalid; the message gives its dotted name.

        Examples
        --------
        >>> from stst import Recipe
        >>> Recipe.parse({"octaves": [{"steps": 10}], "pad": 1}).pad
        1
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise RecipeError(explain(error, cls)) from None

    def __repr_args__(self) -> Iterable[tuple[str | None, object]]:
        """Settings that differ from their default."""
        fields = type(self).model_fields
        for name, value in super().__repr_args__():
            if name not in fields or value != fields[name].get_default():
                yield name, value

    def to_yaml(self) -> str:
        """Write the settings as YAML.

        Returns
        -------
        str
            Text that ``yaml.safe_load`` and `parse` turn back into the same settings.

        Examples
        --------
        >>> from stst.recipe import Octave
        >>> print(Octave(scale=0.5, steps=40).to_yaml(), end="")
        scale: 0.5
        steps:
        - 40
        rate: 0.02
        """
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)

    @property
    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that change with any setting."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def validated(model: type[Model], settings: Mapping[str, object], where: str) -> Model:
    """Build a model from settings; `RecipeError` names the wrong setting of `where`."""
    only_known(settings, model.model_fields, where)
    try:
        return model.model_validate(settings)
    except ValidationError as error:
        raise RecipeError(f"{where}: {explain(error, model)}") from None


def explain(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Describe the first validation error in one line: setting, problem, given value.

    With `model`, an error about an unknown name lists the known ones.
    """
    fault = error.errors()[0]
    if model is None or fault["type"] != "extra_forbidden":
        return faults(error)[0]
    *path, last = fault["loc"]
    known = _names_at(model, path)
    return f"{faults(error)[0]}{guess(str(last), known)} Known: {', '.join(known)}."


def faults(error: ValidationError) -> list[str]:
    """Describe all validation errors, one line each."""
    return [
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg'][0].lower()}{fault['msg'][1:]}, "
        f"got {fault['input']!r:.80}."
        for fault in error.errors()
    ]


def _names_at(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Names of the settings at a path in nested models."""
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
    """Set one setting of nested plain data in place; unknown names are refused."""
    path = dotted.split(".")
    for depth, part in enumerate(path):
        known = range(len(data)) if isinstance(data, list) else data
        keys = {str(key): key for key in known} if isinstance(data, dict | list) else {}
        if part not in keys:
            raise RecipeError(
                f"a recipe has no setting {dotted!r}.{guess(part, keys)} "
                f"Known here: {', '.join(keys) or 'nothing'}."
            )
        if depth + 1 == len(path):
            data[keys[part]] = value
        else:
            data = data[keys[part]]

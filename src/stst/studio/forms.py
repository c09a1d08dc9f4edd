"""Settings as form fields, made from the settings classes and what they say of each setting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Kind = Literal["switch", "choice", "number", "text", "list", "part"]
NUMBERS = (int, float)
_ENTRY = re.compile(r"^(\w+) : .*$", re.MULTILINE)


@dataclass(frozen=True)
class Setting:
    """One setting of a form.

    Parameters
    ----------
    name : str
        Dotted name, as ``--set`` takes it.
    kind : str
        ``switch``, ``choice``, ``number``, ``text``, ``list`` (values separated by commas), or
        ``part``: a group of settings that can be switched off as a whole.
    explanation : str
        What it does.
    default : object
        Value if it is left alone, as plain data.
    options : tuple of str
        Allowed values of a choice.
    nullable : bool
        Whether it can be left empty.
    """

    name: str
    kind: Kind
    explanation: str
    default: object = None
    options: tuple[str, ...] = ()
    nullable: bool = False

    @property
    def section(self) -> str:
        """The part of the recipe that it belongs to; empty at the top."""
        return self.name.partition(".")[0] if "." in self.name else ""

    def show(self, value: object) -> object:
        """Turn plain data into the value of the form's field."""
        if self.kind != "list" or not isinstance(value, list | tuple):
            return value if value is not None or self.kind == "number" else ""
        return ", ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in value)

    def read(self, shown: Any) -> object:  # noqa: ANN401
        """Turn the value of the form's field into plain data; mistakes are left to the command."""
        if self.kind == "list":
            return _read_list(str(shown or ""), self)
        if self.kind == "number":
            return int(shown) if isinstance(shown, float) and shown.is_integer() else shown
        if self.kind == "text":
            return str(shown or "").strip() or (None if self.nullable else "")
        return shown


def _read_list(text: str, setting: Setting) -> object:
    values = [value for part in text.strip().strip("[]").split(",") if (value := part.strip())]
    if not values and setting.nullable:
        return None
    if values == ["all"]:
        return "all"
    return [_number(value) for value in values]


def _number(text: str) -> int | float | str:
    for kind in NUMBERS:
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def settings_of(
    model: type[BaseModel], data: Mapping[str, Any] | None = None, prefix: str = ""
) -> Iterator[Setting]:
    """List the settings of a class in the order of its declaration, nested ones dotted.

    Parameters
    ----------
    model : type of BaseModel
        The class.
    data : mapping, optional
        Values that count as defaults, as plain data; by default those of the class.
    prefix : str, default ""
        Put before each name.
    """
    explanations = explain_settings(model)
    for name, field in model.model_fields.items():
        default = plain_default(field) if data is None else data.get(name)
        kind, options, nullable, inner = _kind(field.annotation)
        setting = Setting(
            f"{prefix}{name}", kind, explanations.get(name, ""), default, options, nullable
        )
        if inner is None:
            yield setting
        elif kind == "list":  # of settings, such as the octaves
            for index, each in enumerate(default if isinstance(default, list | tuple) else ()):
                yield from settings_of(inner, each, f"{prefix}{name}.{index}.")
        else:
            if nullable:
                yield setting
            values = default if isinstance(default, Mapping) else None
            yield from settings_of(inner, values, f"{prefix}{name}.")


def plain_default(field: FieldInfo) -> object:
    """Return the default of a setting as plain data; None if it has none."""
    if field.is_required():
        return None
    default = field.get_default(call_default_factory=True)
    if isinstance(default, BaseModel):
        return default.model_dump(mode="json")
    simple = default is None or isinstance(default, bool | int | float | str | list | dict)
    if isinstance(default, tuple):
        return list(default)
    return default if simple else str(default)


def explain_settings(model: type[BaseModel]) -> dict[str, str]:
    """Return what a class says of each of its settings: its descriptions, or its docstring."""
    text = (model.__doc__ or "").partition("Parameters\n----------\n")[2]
    text = re.split(r"\n\n[A-Z][\w ]+\n-+\n", text)[0]
    # Docstrings keep the indent of their class in some versions of Python.
    lines = [line.strip() for line in text.splitlines()]
    _, *entries = _ENTRY.split("\n".join(lines))
    found = dict(zip(entries[::2], entries[1::2], strict=True))
    explanations = {name: _joined(each) for name, each in found.items()}
    declared = {name: field.description for name, field in model.model_fields.items()}
    return {name: text or explanations.get(name, "") for name, text in declared.items()}


def _joined(text: str) -> str:
    return " ".join(text.split()).replace("``", "").replace("`", "")


def _kind(annotation: object) -> tuple[Kind, tuple[str, ...], bool, type[BaseModel] | None]:
    """Return the kind of a field, its options, whether it may be empty, and its class if nested."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inner[0])
    if origin in (Union, UnionType):
        kind, options, _, model = _kind(next(each for each in inner if each is not NoneType))
        return kind, options, NoneType in inner, model
    if origin is Literal:
        return "choice", tuple(map(str, inner)), False, None
    if origin in (tuple, list):
        is_model = isinstance(inner[0], type) and issubclass(inner[0], BaseModel)
        return "list", (), False, inner[0] if is_model else None
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "part", (), False, annotation
    if annotation is bool:
        return "switch", (), False, None
    return ("number" if annotation in NUMBERS else "text"), (), False, None

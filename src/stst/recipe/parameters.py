"""The Parameters section of a docstring, written from the fields of a settings class.

A setting is described once, where it is declared; its type, default and range in the
docstring then always agree with the code.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from types import NoneType
from typing import Annotated, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

SECTION = re.compile(r"\n\n(?=[A-Z]\w+\n-+\n)")  # where the first numpydoc section starts
INDENT = " " * 4
LIMITS = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}


def with_parameters(model: type[BaseModel]) -> str:
    """Return the docstring of a settings class with its Parameters section."""
    text = inspect.cleandoc(vars(model).get("__doc__") or "")
    if "Parameters\n---" in text:
        return text + "\n"
    parts = SECTION.split(text, maxsplit=1)
    entries = [_entry(name, field) for name, field in model.model_fields.items()]
    if model.model_config.get("extra") == "allow":
        entries.append(f"**extra_data : object\n{INDENT}Further fields.")
    parts.insert(1, "\n".join(["Parameters", "-" * 10, *entries]))
    return "\n\n".join(parts) + "\n"


def _entry(name: str, field: FieldInfo) -> str:
    text = " ".join(filter(None, [field.description, _range(field)]))
    wrapped = textwrap.fill(text, 96, initial_indent=INDENT, subsequent_indent=INDENT)
    return f"{field.alias or name} : {_type(field.annotation)}{_default(field)}\n{wrapped}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    if field.default_factory or field.default in ({}, [], ()):
        return ", optional"
    default = field.default
    return f", default {repr(default) if isinstance(default, str) else default}"


def _type(annotation: object) -> str:
    """Name a type as numpydoc does: ``float or None``, ``{'white', 'black'}``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0])
    if origin is Literal:
        return "{" + ", ".join(map(repr, inner)) + "}"
    if origin in (tuple, list):
        return f"{origin.__name__} of {_type(inner[0])}"
    if origin is dict:
        return f"dict of {_type(inner[0])} to {_type(inner[1])}"
    if inner:  # a union
        return " or ".join(map(_type, inner))
    return "None" if annotation is NoneType else getattr(annotation, "__name__", str(annotation))


def _range(field: FieldInfo) -> str:
    limits = [
        f"{words} {getattr(rule, name):g}"
        for rule in field.metadata
        for name, words in LIMITS.items()
        if getattr(rule, name, None) is not None
    ]
    return f"{' and '.join(limits).capitalize()}." if limits else ""

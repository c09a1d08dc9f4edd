"""Errors for wrong arguments of public functions: argument, expected type, given value."""

from __future__ import annotations

import inspect
import numbers
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from functools import cache, wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from stst.errors import FramesError, RecipeError, RunError, StreamError, StstError

P = ParamSpec("P")
Returned = TypeVar("Returned")

_WORDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path: pathlib.Path('...')",
    types.NoneType: "None",
}


def checked(function: Callable[P, Returned]) -> Callable[P, Returned]:
    """Explain wrong arguments of a public function from its annotations.

    Arguments are compared with the annotations only after the call has failed, so values that
    the function accepts, or rejects with an error of its own, are unaffected. Booleans are
    compared before the call: any object can pass for one, and a boolean for a number.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Returned:
        if flags := _flags(function):
            _refuse(function, args, kwargs, flags)
        try:
            return function(*args, **kwargs)
        except StstError:
            raise
        except Exception:  # wrong arguments can raise anything
            _refuse(function, args, kwargs, _annotations(function))
            raise

    return call


def _refuse(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    annotations: Mapping[str, Any],
) -> None:
    try:
        given = inspect.signature(function).bind(*args, **kwargs).arguments
    except TypeError:
        return  # Python's own message names missing and extra arguments
    called = function.__qualname__.removesuffix(".__init__")
    for name, value in given.items():
        if name in annotations and not fits(value, annotations[name]):
            expected = words(annotations[name])
            plain = isinstance(value, str | int | float)
            shown = f"{value!r:.60}" if plain else type(value).__name__
            raise _kind(expected, name, function.__module__)(
                f"{name} of {called}() must be {expected}, got {shown}. See "
                f"help({function.__module__}.{called})."
            ) from None


def _kind(expected: str, name: str, module: str) -> type[StstError]:
    if "stst.Clip" in expected or "tensor" in expected or module.startswith("stst.video"):
        return FramesError
    if name in ("spatial", "temporal") or "Network" in expected or module.startswith("stst.models"):
        return StreamError
    return RunError if "a path" in expected else RecipeError


@cache
def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """Readable annotations; names that exist only for type checkers are skipped."""
    annotations = dict[str, Any]()
    for name, annotation in inspect.get_annotations(function).items():
        try:
            holder = types.SimpleNamespace(__annotations__={name: annotation})
            annotations |= get_type_hints(holder, function.__globals__)
        except (NameError, AttributeError):
            continue
    return annotations


@cache
def _flags(function: Callable[..., Any]) -> dict[str, Any]:
    """Arguments that accept a boolean, and numbers, which must not be one."""
    flags = {}
    for name, annotation in _annotations(function).items():
        kinds = (annotation, *get_args(annotation))
        if bool in kinds:
            flags[name] = annotation
        elif int in kinds or float in kinds:
            flags[name] = _NotBool
    flags.pop("return", None)
    return flags


class _NotBool:
    """Anything but True and False."""


def fits(value: object, annotation: Any) -> bool:  # noqa: ANN401
    """Whether a value matches an annotation. The items of an iterator are not checked."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return any(fits(value, kind) for kind in inner)
    if origin is Literal:
        return isinstance(value, str | int | bool) and value in inner
    if annotation is _NotBool:
        return not isinstance(value, bool)
    if annotation in (int, float):
        number = numbers.Integral if annotation is int else numbers.Real
        return isinstance(value, number) and not isinstance(value, bool)
    if annotation in (None, types.NoneType):
        return value is None
    if getattr(kind := origin or annotation, "_is_protocol", False):
        names = [n for n in vars(kind) if not n.startswith("_") or n == "__len__"]
        return not isinstance(value, type) and all(hasattr(value, name) for name in names)
    if origin is not None and isinstance(origin, type):
        return _holds(value, origin, inner)
    return not isinstance(annotation, type) or isinstance(value, annotation)


def _holds(value: object, origin: type, inner: tuple[Any, ...]) -> bool:
    """Whether a collection and its items match, or a function is callable."""
    if issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            fits(key, inner[0]) and fits(item, inner[1]) for key, item in value.items()
        )
    if not issubclass(origin, Iterable):
        return callable(value)
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping | type):
        return False
    if isinstance(value, Iterator):
        return not issubclass(origin, Sized)  # checking the items would consume them
    try:
        return all(fits(item, inner[0]) for item in value)
    except TypeError:  # an array without axes
        return False


def words(annotation: Any) -> str:  # noqa: ANN401
    """Describe an annotation: ``a whole number or a sequence, each a whole number``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(words(kind) for kind in inner))
    if origin is Literal:
        return "one of " + ", ".join(map(repr, inner))
    if annotation in _WORDS:
        return _WORDS[annotation]
    if annotation is _NotBool:
        return "a number, not True or False"
    name = getattr(origin or annotation, "__name__", str(annotation))
    if name in ("Footage", "Clip"):
        return "a stst.Clip"
    if name == "Tensor":
        return "a torch tensor"
    if name == "Mapping":
        return f"a mapping of {words(inner[0])} to {words(inner[1])}"
    if inner and name in ("Sequence", "Iterable", "tuple", "list"):
        return f"a sequence, each {words(inner[0])}"
    return "a function" if name == "Callable" else f"of type {name}"

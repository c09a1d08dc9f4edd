"""Wrong arguments of public functions: errors that say which, what was wanted and what came."""

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
    """Explain by its annotations what a public function was given that it cannot take.

    Arguments are compared with annotations once the function has failed: those that it takes or
    refuses itself are left to it. Only True and False are compared before, since any object can
    pass for either, and they for a number.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Returned:
        if flags := _flags(function):
            _refuse(function, args, kwargs, flags)
        try:
            return function(*args, **kwargs)
        except StstError:
            raise
        except Exception:  # whatever code raises that does not expect what it was given
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
        return  # Python says itself which are missing or too many
    called = function.__qualname__.removesuffix(".__init__")
    for name, value in given.items():
        if name in annotations and not fits(value, annotations[name]):
            wanted = words(annotations[name])
            plain = isinstance(value, str | int | float)
            came = f"{value!r:.60}" if plain else type(value).__name__
            raise _kind(wanted, name, function.__module__)(
                f"{name} of {called}() must be {wanted}, got {came}. See "
                f"help({function.__module__}.{called})."
            ) from None


def _kind(wanted: str, name: str, module: str) -> type[StstError]:
    if "stst.Clip" in wanted or "tensor" in wanted or module.startswith("stst.video"):
        return FramesError
    if name in ("spatial", "temporal") or "Network" in wanted or module.startswith("stst.models"):
        return StreamError
    return RunError if "a path" in wanted else RecipeError


@cache
def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations that can be read; a name that is only there for type checkers cannot."""
    found = dict[str, Any]()
    for name, annotation in inspect.get_annotations(function).items():
        try:
            holder = types.SimpleNamespace(__annotations__={name: annotation})
            found |= get_type_hints(holder, function.__globals__)
        except (NameError, AttributeError):
            continue
    return found


@cache
def _flags(function: Callable[..., Any]) -> dict[str, Any]:
    """What may be True or False, or a number: no other object may, nor they a number."""
    found = {}
    for name, annotation in _annotations(function).items():
        kinds = (annotation, *get_args(annotation))
        if bool in kinds:
            found[name] = annotation
        elif int in kinds or float in kinds:
            found[name] = _NotBool
    found.pop("return", None)
    return found


class _NotBool:
    """Anything but True and False."""


def fits(value: object, annotation: Any) -> bool:  # noqa: ANN401
    """Whether a value is of the kind of an annotation; what an iterator holds is not looked at."""
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
    """Whether a collection, or a function, is of a kind, and so is what it holds."""
    if issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            fits(key, inner[0]) and fits(item, inner[1]) for key, item in value.items()
        )
    if not issubclass(origin, Iterable):
        return callable(value)
    if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping | type):
        return False
    if isinstance(value, Iterator):
        return not issubclass(origin, Sized)  # it is not used up
    try:
        return all(fits(item, inner[0]) for item in value)
    except TypeError:  # an array without axes
        return False


def words(annotation: Any) -> str:  # noqa: ANN401
    """An annotation in words: ``a whole number or a sequence of whole numbers``."""
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
    return "a function" if name == "Callable" else f"of the kind {name}"

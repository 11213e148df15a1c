"""Mappings made into objects with named fields."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from turnout.types import config_values as configs
from turnout.types.foreign import is_dict_config, is_pydantic
from turnout.types.forms import qualifier
from turnout.types.hints import hints
from turnout.types.misfit import Misfit
from turnout.types.show import Found, show

Convert: TypeAlias = Callable[[Any], Any]
Converter: TypeAlias = Callable[[Any], Convert | None]

MISSING: Final = "???"


def record(cls: Any, test: Callable[[Any], Found | None] | None, converter: Converter) -> Convert:
    """A function that makes a dataclass, pydantic model or named tuple from a mapping.

    Args:
        cls: the class to make.
        test: the check of a value that is an instance already.
        converter: gives the function that converts a field to its annotation.
    """

    def change(value: Any) -> Any:
        if isinstance(value, cls):
            found = None if test is None else test(value)
            if found is not None:
                raise Misfit(found)
            return value
        if not isinstance(value, Mapping):
            raise Misfit(Found.of(value))
        if is_pydantic(cls):
            return _pydantic(cls, value)
        if dataclasses.is_dataclass(cls):
            return _dataclass(cls, value, converter)
        return _named(cls, value, converter)

    return change


def typed_dict(cls: Any, converter: Converter) -> Convert:
    """A function that makes a typed dict from a mapping."""

    def change(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Misfit(Found.of(value))
        made = _values(cls, value, hints(cls), required_keys(cls), converter)
        same = type(value) is dict and all(made[name] is value[name] for name in made)
        return value if same else made

    return change


def required_keys(cls: Any) -> list[str]:
    """The keys that a typed dict must have.

    A `NotRequired` inside an annotation that is text is unknown to the class itself.
    """
    found = []
    for name, annotation in hints(cls).items():
        said = qualifier(typing.get_origin(annotation))
        if said == "Required" or (name in cls.__required_keys__ and said != "NotRequired"):
            found.append(name)
    return found


def _dataclass(cls: Any, value: Mapping[Any, Any], converter: Converter) -> Any:
    late: dict[str, Any] = {}
    declared = configs.declared(value)
    if declared is not None and issubclass(declared, cls):
        cls = declared
        # The config of a class has all of its fields, also those its constructor sets.
        late = {f.name: value.get(f.name) for f in dataclasses.fields(cls) if not f.init}
    fields = {name: field for name, field in cls.__dataclass_fields__.items() if _settable(field)}
    annotations = {name: hints(cls).get(name, Any) for name in fields}
    required = [name for name, field in fields.items() if not _has_default(field)]
    given = {name: part for name, part in _given(value).items() if name not in late}
    for name, field in fields.items():
        if name not in given and isinstance(field.default, str) and field.default == MISSING:
            given[name] = MISSING
    built = _built(cls, _values(cls, given, annotations, required, converter))
    for name, part in late.items():
        if part is not None:
            object.__setattr__(built, name, configs.objects(part))
    return built


def _settable(field: dataclasses.Field[Any]) -> bool:
    kind = getattr(field, "_field_type", None)
    return field.init and getattr(kind, "name", "") != "_FIELD_CLASSVAR"


def _has_default(field: dataclasses.Field[Any]) -> bool:
    nothing = dataclasses.MISSING
    return field.default is not nothing or field.default_factory is not nothing


def _named(cls: Any, value: Mapping[Any, Any], converter: Converter) -> Any:
    annotations = {name: hints(cls).get(name, Any) for name in cls._fields}
    required = [name for name in cls._fields if name not in cls._field_defaults]
    return _built(cls, _values(cls, value, annotations, required, converter))


def _pydantic(cls: Any, value: Mapping[Any, Any]) -> Any:
    from pydantic import ValidationError

    try:
        return cls.model_validate(configs.plain(value))
    except ValidationError as problem:
        texts = [
            f"{'.'.join(map(str, error['loc'])) or show(cls)}: {error['msg']}"
            for error in problem.errors(include_url=False)
        ]
        raise Misfit(Found(f"values it refuses ({'; '.join(texts)})"), show(cls)) from problem


def _built(cls: Any, values: dict[str, Any]) -> Any:
    try:
        return cls(**values)
    except Exception as problem:  # the constructor is the user's and may check its values
        text = f"values it refuses ({type(problem).__name__}: {problem})"
        raise Misfit(Found(text), show(cls)) from problem


def _given(value: Mapping[Any, Any]) -> dict[Any, Any]:
    return configs.pairs(value) if is_dict_config(type(value)) else dict(value)


def _values(
    cls: Any,
    value: Mapping[Any, Any],
    annotations: Mapping[str, Any],
    required: Iterable[str],
    converter: Converter,
) -> dict[str, Any]:
    """The fields of a record, each as its annotation wants it."""
    given = _given(value)
    for key in given:
        if key not in annotations:
            raise Misfit(_unknown(key, annotations), show(cls))
    for name in required:
        if name not in given:
            raise Misfit(Found(f"no value for {name!r}"), show(cls))
    return {name: _field(name, part, annotations[name], converter) for name, part in given.items()}


def _unknown(key: Any, names: Iterable[str]) -> Found:
    import difflib

    close = difflib.get_close_matches(str(key), names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(names) or 'none'}"
    return Found(f"unknown key {key!r} ({hint})")


def _field(name: str, value: Any, annotation: Any, converter: Converter) -> Any:
    place = f".{name}"
    if isinstance(value, str) and value == MISSING:
        raise Misfit(Found("no value (???)", place), show(annotation))
    change = converter(annotation) or converter(configs.declared(value))
    if change is None:
        return configs.objects(value)
    try:
        return change(value)
    except Misfit as misfit:
        raise misfit.inside(place, show(annotation)) from misfit.__cause__

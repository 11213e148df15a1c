"""Mappings made into objects with named fields."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from turnout.types import configs
from turnout.types.check import checker
from turnout.types.foreign import is_dict_config, is_pydantic
from turnout.types.hints import hints
from turnout.types.misfit import Misfit
from turnout.types.show import Found, show

Convert: TypeAlias = Callable[[Any], Any]
Converter: TypeAlias = Callable[[Any], "Convert | None"]

MISSING = "???"


def record(cls: Any, converter: Converter) -> Convert:
    """A function that makes a dataclass, pydantic model or named tuple from a mapping."""
    make = (
        _pydantic if is_pydantic(cls) else _dataclass if dataclasses.is_dataclass(cls) else _named
    )
    test = checker(cls)

    def change(value: Any) -> Any:
        if type(value) is cls or isinstance(value, cls):
            found = None if test is None else test(value)
            if found is not None:
                raise Misfit(found)
            return value
        if not isinstance(value, Mapping):
            raise Misfit(Found.of(value))
        return make(cls, value, converter)

    return change


def typed_dict(cls: Any, converter: Converter) -> Convert:
    """A function that makes a typed dict from a mapping."""
    required = frozenset(cls.__required_keys__)

    def change(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Misfit(Found.of(value))
        given = _given(value)
        fields = hints(cls)
        _known(cls, given, fields)
        for name in fields:
            if name not in given and name in required:
                raise Misfit(Found(f"no value for {name!r}"), show(cls))
        made = {name: _field(name, given[name], fields[name], converter) for name in given}
        same = type(value) is dict and all(made[name] is value[name] for name in made)
        return value if same else made

    return change


def _dataclass(cls: Any, value: Mapping[Any, Any], converter: Converter) -> Any:
    late: dict[str, Any] = {}
    if is_dict_config(type(value)):
        declared = configs.declared(value)
        if issubclass(declared, cls) and dataclasses.is_dataclass(declared):
            cls = declared
            # The config of a class has all of its fields, also those its constructor sets.
            late = {f.name: value.get(f.name) for f in dataclasses.fields(cls) if not f.init}
    given = {name: part for name, part in _given(value, skip=late).items()}
    fields = {name: f for name, f in cls.__dataclass_fields__.items() if _settable(f)}
    annotations = hints(cls)
    _known(cls, given, fields)
    for name, field in fields.items():
        if name in given:
            continue
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Misfit(Found(f"no value for {name!r}"), show(cls))
        if isinstance(field.default, str) and field.default == MISSING:
            raise Misfit(Found("no value (???)", f".{name}"), show(annotations.get(name, Any)))
    made = {n: _field(n, part, annotations.get(n, Any), converter) for n, part in given.items()}
    built = _built(cls, made)
    for name, part in late.items():
        if part is not None:
            object.__setattr__(built, name, configs.plain(part))
    return built


def _settable(field: dataclasses.Field[Any]) -> bool:
    kind = getattr(field, "_field_type", None)
    return field.init and getattr(kind, "name", "") != "_FIELD_CLASSVAR"


def _named(cls: Any, value: Mapping[Any, Any], converter: Converter) -> Any:
    given, annotations = _given(value), hints(cls)
    _known(cls, given, cls._fields)
    for name in cls._fields:
        if name not in given and name not in cls._field_defaults:
            raise Misfit(Found(f"no value for {name!r}"), show(cls))
    return _built(
        cls,
        {n: _field(n, part, annotations.get(n, Any), converter) for n, part in given.items()},
    )


def _pydantic(cls: Any, value: Mapping[Any, Any], converter: Converter) -> Any:
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


def _given(value: Mapping[Any, Any], skip: Iterable[str] = ()) -> dict[Any, Any]:
    return {name: value[name] for name in value if name not in skip}


def _known(cls: Any, given: Iterable[Any], fields: Iterable[str]) -> None:
    names = list(fields)
    for key in given:
        if key in names:
            continue
        close = difflib.get_close_matches(str(key), names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(names) or 'none'}"
        raise Misfit(Found(f"unknown key {key!r} ({hint})"), show(cls))


def _field(name: str, value: Any, annotation: Any, converter: Converter) -> Any:
    if isinstance(value, str) and value == MISSING:
        raise Misfit(Found("no value (???)", f".{name}"), show(annotation))
    change = converter(annotation)
    if change is None:
        return configs.plain(value)
    try:
        return change(value)
    except Misfit as misfit:
        raise misfit.inside(f".{name}", show(annotation)) from misfit.__cause__

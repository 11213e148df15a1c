"""How values become bytes and back.

A codec is chosen by a value's exact type, so that nothing is lost on the way: what a typed
codec cannot give back unchanged goes to pickle. Codecs of plugins are asked before those here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

from turnout.errors import EncodeError, PluginError
from turnout.graph.tags import NotPlain, tagged, untagged
from turnout.storage.plugged import plugin_codecs

__all__ = ["Codec", "Encoded", "decode", "encode", "is_pickled", "plugin_codecs", "refused"]


class Codec(Protocol):
    """Turns values of certain types into bytes and back; plugins bring their own.

    Attributes:
        name: lower case, unique, and for ever: stored values name it.
        version: raised when the bytes change so that older code cannot read them.
        canonical: whether equal values give equal bytes, in every process.
    """

    name: str
    version: int
    canonical: bool

    def handles(self, value: Any) -> bool:
        """Whether `decode` gives back exactly this value."""

    def encode(self, value: Any) -> bytes:
        """The value as bytes. Any exception becomes an `EncodeError` that names the place."""

    def decode(self, payload: bytes) -> Any:
        """The value behind the bytes of this version or an earlier one."""


class Encoded(NamedTuple):
    """A value as bytes.

    Attributes:
        codec: the codec's name and version, such as ``numpy/1``.
        payload: the bytes.
        canonical: whether equal values give equal bytes.
    """

    codec: str
    payload: bytes
    canonical: bool


def encode(value: Any, where: str = "", *, stored: bool = False) -> Encoded:
    """The value as bytes, by the first codec that handles it.

    Args:
        value: anything.
        where: what the value is, for the message: ``parameter 'data' of task 'train'``.
        stored: the bytes outlive this process, so that classes of a notebook are named
            and not copied into them; otherwise they travel along.

    Raises:
        EncodeError: the value holds something that exists in this process only.

    >>> encode({"C": 0.1}).codec
    'plain/1'
    """
    codec = None if type(value) in _PLAIN else _typed_codec_of(value)
    try:
        # Whether a value is plain is told by encoding it; that is done once.
        payload = _plainly(value) if codec is None else codec.encode(value)
        if payload is None:
            codec, payload = PICKLE, PICKLE.encode(value, stored=stored)
    except Exception as error:
        raise refused(value, where, error) from error
    codec = codec or _PLAIN_CODEC
    return Encoded(f"{codec.name}/{codec.version}", payload, codec.canonical)


def _plainly(value: Any) -> bytes | None:
    try:
        return _PLAIN_CODEC.encode(value)
    except NOT_PLAIN:
        return None


def decode(codec: str, payload: bytes) -> Any:
    """The value behind what `encode` gave.

    Raises:
        PluginError: no codec of that name is installed, or only an older one.
        Exception: whatever the codec raises for bytes it cannot read.

    >>> decode(*encode([1, 2.5, None])[:2])
    [1, 2.5, None]
    """
    name, _, version = codec.partition("/")
    for known in (*plugin_codecs(), *_BUILT_IN):
        if known.name == name:
            if int(version or 1) > known.version:
                raise PluginError(
                    f"a value was stored by version {version} of the codec {name!r}, and this "
                    f"process has version {known.version}; upgrade the package that brings it"
                )
            return known.decode(payload)
    raise PluginError(
        f"a value was stored by the codec {name!r}, which is not installed; "
        "`turnout backends` lists the plugins that failed to load"
    )


def _typed_codec_of(value: Any) -> Codec | None:
    """The codec of this very type, from a plugin or one of ours."""
    for codec in plugin_codecs():
        if codec.handles(value):
            return codec
    for codec in _TYPED:
        if codec.handles(value):
            return codec
    return None


def is_pickled(codec: str) -> bool:
    """Whether decoding what this codec wrote means unpickling, which can run any code."""
    name = codec.partition("/")[0]
    for known in (*plugin_codecs(), *_BUILT_IN):
        if known.name == name:
            return bool(getattr(known, "pickled", False))
    return False


_PLAIN: Final = frozenset({bool, int, float, str, bytes, type(None)})


def refused(value: Any, where: str, error: Exception) -> EncodeError:
    """The error for a value that cannot be encoded."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    place = f"{where}: " if where else ""
    return EncodeError(
        f"{place}a value of type {kind} cannot leave this process "
        f"({type(error).__name__}: {error}); pass plain data or a path, and open files, locks "
        "and connections inside the task that uses them"
    )


NOT_PLAIN: Final = (NotPlain, RecursionError, ValueError)


class _Plain:
    """Plain data, and dataclasses, named tuples and pydantic models made of it, as JSON."""

    name = "plain"
    version = 1
    canonical = True

    def handles(self, value: Any) -> bool:
        try:
            self.encode(value)
        except NOT_PLAIN:
            return False
        return True

    def encode(self, value: Any) -> bytes:
        from turnout.storage.structures import take_apart

        return json.dumps(tagged(value, take_apart), separators=(",", ":")).encode("ascii")

    def decode(self, payload: bytes) -> Any:
        from turnout.storage.structures import put_together

        return untagged(json.loads(payload), put_together)


class _Numpy:
    """NumPy arrays as ``.npy``, except those that hold Python objects."""

    name = "numpy"
    version = 1
    canonical = True

    def handles(self, value: Any) -> bool:
        numpy = sys.modules.get("numpy")
        if numpy is None or type(value) is not numpy.ndarray:
            return False
        dtype = value.dtype
        return dtype.kind in "biufcmMSU" and dtype.isnative and not dtype.metadata

    def encode(self, value: Any) -> bytes:
        import io

        import numpy as np

        file = io.BytesIO()
        np.save(file, value, allow_pickle=False)
        return file.getvalue()

    def decode(self, payload: bytes) -> Any:
        import io

        import numpy as np

        return np.load(io.BytesIO(payload), allow_pickle=False)


class _Polars:
    """Polars frames and series in Arrow's IPC format."""

    name = "polars"
    version = 1
    canonical = False

    def handles(self, value: Any) -> bool:
        polars = sys.modules.get("polars")
        return polars is not None and type(value) in (polars.DataFrame, polars.Series)

    def encode(self, value: Any) -> bytes:
        import io

        import polars as pl

        series = type(value) is pl.Series
        file = io.BytesIO()
        (value.to_frame() if series else value).write_ipc(file)
        return (b"s" if series else b"f") + file.getvalue()

    def decode(self, payload: bytes) -> Any:
        import io

        import polars as pl

        frame = pl.read_ipc(io.BytesIO(payload[1:]))
        return frame.to_series() if payload[:1] == b"s" else frame


class _Config:
    """OmegaConf nodes, resolved and cut off from the config they are a part of."""

    name = "config"
    version = 1
    canonical = False
    pickled = True

    def handles(self, value: Any) -> bool:
        omegaconf = sys.modules.get("omegaconf")
        return omegaconf is not None and type(value) in (
            omegaconf.DictConfig,
            omegaconf.ListConfig,
        )

    def encode(self, value: Any) -> bytes:
        import copy

        from omegaconf import OmegaConf

        part = copy.deepcopy(value)
        OmegaConf.resolve(part)
        part._set_parent(None)
        return PICKLE.encode(part)

    def decode(self, payload: bytes) -> Any:
        return PICKLE.decode(payload)


class _Pickle:
    """Everything else, by cloudpickle: functions and classes of a notebook travel by value."""

    name = "pickle"
    version = 1
    canonical = False
    pickled = True

    def handles(self, value: Any) -> bool:
        return True

    def encode(self, value: Any, *, stored: bool = False) -> bytes:
        from turnout.storage.pickling import dumps

        return dumps(value, stored=stored)

    def decode(self, payload: bytes) -> Any:
        import pickle

        return pickle.loads(payload)


_PLAIN_CODEC: Final = _Plain()
PICKLE: Final = _Pickle()
_TYPED: Final[Sequence[Codec]] = (_Numpy(), _Polars(), _Config())
_BUILT_IN: Final[Sequence[Codec]] = (*_TYPED, _PLAIN_CODEC, PICKLE)

"""Canonical content of values of libraries and of user classes, for their digests.

No library is imported for it: a value's type names the module that it comes from.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from turnout.storage.checksum import checksum
from turnout.storage.structures import is_model, is_only_its_state

if TYPE_CHECKING:
    from turnout.storage.digest import Tokens

__all__ = ["token"]


def token(tokens: Tokens, value: Any, kind: type) -> str | None:  # noqa: PLR0911  (one a kind)
    """The token of a value, or ``None`` when there is none but its pickle."""
    module = kind.__module__
    library = _LIBRARIES.get(module.partition(".")[0])
    if library is not None:
        text = library(tokens, value, kind)
        if text is not None:
            return text
    elif module in _STANDARD:
        return _standard(tokens, value, kind)
    if module.startswith("turnout.") and callable(getattr(value, "fn", None)):
        return tokens.token(value.fn)
    own = getattr(kind, "__turnout_digest__", None)
    if own is not None:
        tokens.inert = False
        return f"artifact({tokens.kind(kind)},{own(value)})"
    text = _by_codec(value)
    if text is not None:
        tokens.inert = False
        return text
    if dataclasses.is_dataclass(kind):
        return _structure(tokens, value, kind)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return f"namedtuple({tokens.kind(kind)},{tokens.items(value)})"
    if is_model(kind):
        state = (value.__dict__, value.__pydantic_extra__, value.__pydantic_private__)
        return f"model({tokens.kind(kind)},{tokens.items(state)})"
    tokens.inert = False
    if callable(getattr(value, "__wrapped__", None)):
        return tokens.once(value, lambda: _wrapper(tokens, value, kind))
    if is_only_its_state(kind):
        return tokens.once(
            value, lambda: f"object({tokens.kind(kind)},{tokens.token(vars(value))})"
        )
    return None


def _by_codec(value: Any) -> str | None:
    """The token of what a plugin's codec writes, if that is canonical."""
    from turnout.storage.codecs import plugin_codecs

    for codec in plugin_codecs():
        if codec.handles(value):
            if not codec.canonical:
                return None
            return f"codec({codec.name}/{codec.version},{checksum(codec.encode(value))})"
    return None


def _state(tokens: Tokens, value: Any, kind: type) -> str:
    return f"{tokens.kind(kind)},{tokens.token(vars(value))}"


def _wrapper(tokens: Tokens, value: Any, kind: type) -> str:
    # The names and the docstring that `functools.wraps` copies are in what is wrapped.
    own = {k: v for k, v in getattr(value, "__dict__", {}).items() if not _is_special(k)}
    return f"wrapped({tokens.kind(kind)},{tokens.items((value.__wrapped__, own))})"


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _structure(tokens: Tokens, value: Any, kind: type) -> str | None:
    if isinstance(value, (dict, list, tuple, set, str, bytes, int, float, BaseException)):
        return None
    # What was set beside the fields may matter to methods as much as they do.
    state = {f.name: getattr(value, f.name, ...) for f in dataclasses.fields(value)}
    state |= {
        name: held
        for name, held in getattr(value, "__dict__", {}).items()
        if not isinstance(getattr(kind, name, None), functools.cached_property)
    }
    return f"dataclass({tokens.kind(kind)},{tokens.token(state)})"


def _numpy(tokens: Tokens, value: Any, kind: type) -> str | None:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.dtype):
        return f"dtype({value!r})"
    if isinstance(value, numpy.generic):
        if value.dtype.kind in _NUMPY_KINDS and not value.dtype.hasobject:
            return f"scalar({_dtype(value.dtype)},{value.tobytes().hex()})"
        return None
    if kind is not numpy.ndarray:
        return None
    if value.dtype.kind == "O" and value.dtype.names is None:
        return f"array(O,{value.shape},{tokens.items(value.ravel().tolist())})"
    return _array(value)


_NUMPY_KINDS: Final = "biufcmMSUV"


def _array(value: Any) -> str | None:
    """The token of an array whose items are plain bytes."""
    dtype = value.dtype
    if dtype.kind not in _NUMPY_KINDS or dtype.hasobject:
        return None
    return f"array({_dtype(dtype)},{value.shape},{_bytes_of(value)})"


def _dtype(dtype: Any) -> str:
    if dtype.names is None:
        return str(dtype.str)
    try:
        return repr(dtype.descr)
    except ValueError:  # its fields overlap or are out of order
        return repr(dtype)


def _bytes_of(value: Any) -> str:
    numpy = sys.modules["numpy"]
    if value.nbytes < 4096:
        return checksum(value.tobytes())
    flat = numpy.ascontiguousarray(value).reshape(-1)
    return checksum(memoryview(flat.view(numpy.uint8)))


def _pandas(tokens: Tokens, value: Any, kind: type) -> str | None:
    pandas = sys.modules["pandas"]
    if kind is pandas.DataFrame:
        columns = [_column(tokens, value.iloc[:, i].array) for i in range(value.shape[1])]
        labels = (value.columns, value.index, value.attrs)
        return f"frame({value.shape},{tokens.items(labels)},{','.join(columns)})"
    if kind is pandas.Series:
        labels = (value.name, value.index, value.attrs)
        return f"series({len(value)},{tokens.items(labels)},{_column(tokens, value.array)})"
    if kind is pandas.RangeIndex:
        return f"range({value.start},{value.stop},{value.step},{tokens.token(value.name)})"
    if kind is pandas.MultiIndex:
        levels = [_column(tokens, value.get_level_values(i).array) for i in range(value.nlevels)]
        return f"levels({tokens.token(list(value.names))},{','.join(levels)})"
    if isinstance(value, pandas.Index):
        made = f"{kind.__name__},{getattr(value, 'freqstr', None)}"
        return f"index({made},{tokens.token(value.name)},{_column(tokens, value.array)})"
    if kind is pandas.Timestamp:
        fields = (value.isoformat(), value.unit, value.fold, value.tz)
        return f"timestamp({tokens.items(fields)})"
    if kind is pandas.Timedelta:
        return f"pdelta({value.isoformat()},{value.unit})"
    if value is pandas.NaT or value is pandas.NA:
        return f"missing({value!r})"
    return None


def _column(tokens: Tokens, array: Any) -> str:
    """The token of a column: its dtype and its items, whatever holds them."""
    pandas = sys.modules["pandas"]
    if type(array.dtype).__name__ in ("NumpyEADtype", "PandasDtype"):
        array = array.to_numpy()
    dtype = array.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        categories = tokens.token(dtype.categories)
        return f"column(category,{dtype.ordered},{categories},{_array(array.codes)})"
    if isinstance(dtype, pandas.DatetimeTZDtype):
        zone = tokens.token(dtype.tz)
        return f"column({dtype.unit},{zone},{_array(array.to_numpy('M8[ns]').view('i8'))})"
    is_numpy = not pandas.api.types.is_extension_array_dtype(dtype)
    if is_numpy and dtype.kind == "O":
        # Hashing by pandas would take the text of what is no text: 1 and "1" would be equal.
        return f"column(object,{tokens.token(list(array))})"
    if is_numpy:
        text = _array(array.to_numpy() if hasattr(array, "to_numpy") else array)
        if text is not None:
            return f"column({text})"
    elif isinstance(dtype, pandas.StringDtype) or hasattr(array, "_mask"):
        hashes = pandas.util.hash_array(array, categorize=False)
        return f"column({dtype!r},{_array(hashes)},{_array(array.isna())})"
    return tokens.pickled(array)


def _polars(tokens: Tokens, value: Any, kind: type) -> str | None:
    polars = sys.modules["polars"]
    if kind is polars.DataFrame:
        return f"polars({value.shape},{tokens.items(value.get_columns())})"
    if kind is polars.Series:
        head = f"{value.dtype!r},{tokens.token(value.name)}"
        if value.dtype.is_numeric() and not value.null_count() and "Decimal" not in head:
            return f"column({head},{_array(value.to_numpy())})"
        return f"column({head},{tokens.token(value.to_list())})"
    if isinstance(value, polars.DataType):
        return f"dtype({value!r})"
    return None


def _torch(_: Tokens, value: Any, kind: type) -> str | None:
    torch = sys.modules["torch"]
    if isinstance(value, (torch.dtype, torch.device, torch.Size)):
        return f"torch({value!r})"
    if kind not in (torch.Tensor, torch.nn.Parameter) or value.layout is not torch.strided:
        return None
    if value.is_quantized:
        return None
    plain = value.detach().resolve_conj().resolve_neg().cpu().contiguous()
    data = memoryview(plain.reshape(-1).view(torch.uint8).numpy())
    head = f"{value.dtype},{tuple(value.shape)},{value.requires_grad}"
    return f"tensor({kind.__name__},{head},{checksum(data)})"


def _omegaconf(tokens: Tokens, value: Any, kind: type) -> str | None:
    from omegaconf import DictConfig, ListConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if kind not in (DictConfig, ListConfig):
        return None
    try:
        plain = OmegaConf.to_container(value, resolve=True)
    except OmegaConfBaseException:
        # A part cut off from what it refers to: the reference itself is what it holds.
        plain = OmegaConf.to_container(value, resolve=False)
    return f"{kind.__name__}({tokens.token(plain)})"


_STANDARD: Final = frozenset({"collections", "decimal", "fractions", "uuid", "typing", "logging"})


def _standard(tokens: Tokens, value: Any, kind: type) -> str | None:
    name = kind.__name__
    if name in ("Decimal", "Fraction", "UUID") or kind.__module__ == "typing":
        return f"{name.lower()}({value!r})"
    if name == "OrderedDict":
        return f"ordered({tokens.items(value.items())})"
    if name == "defaultdict":
        return f"defaultdict({tokens.token(value.default_factory)},{tokens.token(dict(value))})"
    if name == "Counter":
        return f"counter({tokens.token(dict(value))})"
    if name == "deque":
        return f"deque({value.maxlen},{tokens.items(value)})"
    if name == "Logger":
        return f"logger({tokens.token(value.name)})"
    return None


_LIBRARIES: Final[dict[str, Callable[[Tokens, Any, type], str | None]]] = {
    "numpy": _numpy,
    "pandas": _pandas,
    "polars": _polars,
    "torch": _torch,
    "omegaconf": _omegaconf,
}

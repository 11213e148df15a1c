"""Sends calls that have their options in common."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ray.remote_function import RemoteFunction
from ray.util import client
from ray.util.tracing.tracing_helper import _is_tracing_enabled

Submit: TypeAlias = Callable[[tuple[Any, ...]], Any]
"""Sends a call with these arguments; gives the reference of its result, or several."""

_lock = threading.Lock()  # executors of several threads share the functions


def submitter(function: RemoteFunction, options: Mapping[str, Any]) -> Submit:
    """What sends calls of a remote function with these options.

    Ray goes through all options there are for each call, which takes it longer than to send it.
    It hands what is left to do to a function's decorator, if it has one; here that is kept. Each
    call goes the whole way where a client sends for us, where Ray traces calls, and where this
    Ray has no such decorators.
    """

    def whole_way(args: tuple[Any, ...]) -> Any:
        return function._remote(args=args, kwargs={}, **options)

    if client.ray.is_connected() or _is_tracing_enabled() or not hasattr(function, "_decorator"):
        return whole_way
    with _lock:
        function._decorator = _keep
        try:
            invoke = function._remote(**options)
        finally:
            function._decorator = None
    return (lambda args: invoke(args, {})) if callable(invoke) else whole_way


def _keep(invocation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def kept(args: Any, kwargs: Any) -> Any:
        del args, kwargs  # there are none yet
        return invocation

    return kept

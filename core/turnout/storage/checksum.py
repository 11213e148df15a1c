"""The one hash function everything stored is named and verified by."""

from __future__ import annotations

try:
    # hashlib hands out this same class, after 10 ms of loading OpenSSL.
    from _blake2 import blake2b
except ImportError:  # pragma: no cover
    from hashlib import blake2b

__all__ = ["blake2b", "checksum"]


def checksum(data: bytes | bytearray | memoryview) -> str:
    """BLAKE2b of the bytes, 128 bits as 32 hexadecimal digits.

    >>> checksum(b"turnout")
    '6182a7008fdcee83cd1f81c3fee13d52'
    """
    return blake2b(data, digest_size=16).hexdigest()

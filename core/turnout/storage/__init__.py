"""Stored things: codecs, digests, code versions, the cache and the run records."""

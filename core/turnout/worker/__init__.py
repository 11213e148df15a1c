"""Runs one call, anywhere: in this process, in a child process, on a cluster."""

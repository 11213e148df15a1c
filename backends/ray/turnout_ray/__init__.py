"""The Ray environment: tasks of a Ray cluster, started for the run or joined.

This is imported in every worker of a run, and so holds nothing.
"""

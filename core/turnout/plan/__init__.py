"""The plan: a graph with its inputs and its environment, checked before anything runs."""

from turnout.plan.environment import Environment
from turnout.plan.note import Note
from turnout.plan.plan import Plan, make_plan
from turnout.plan.rules import Rules
from turnout.plan.steps import Program, Scope, Step, Tree

__all__ = ["Environment", "Note", "Plan", "Program", "Rules", "Scope", "Step", "Tree", "make_plan"]

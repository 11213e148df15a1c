# Every target does its own set-up, into .venv; nothing else on the machine is touched.
# PYTHON picks the interpreter (3.11 or later), ARGS is passed on to what a target runs.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: .venv/examples ## train the penguins, in this process
	@cd examples/penguins && ../../$(BIN)/python main.py $(ARGS)

test: .venv/dev ## all tests; ARGS="-k penguins" picks some
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: .venv/dev ## format, lint, types and the arrows between packages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/bench ## measure, and write the table of benchmarks/README.md
	$(BIN)/python -m benchmarks $(ARGS)

format: .venv/dev ## let ruff rewrite what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove the environment and every cache
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# One stamp file per set of extras. They depend on pyproject.toml because entry points and
# dependencies change only on reinstall, and on one another so that `make -j` never lets two
# pips into one environment.

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "turnout needs Python 3.11 or later; say which: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "this Python cannot make virtual environments; on Debian: apt install python3-venv" >&2; \
	  exit 2; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/examples: pyproject.toml | .venv/python
	$(PIP) install --editable '.[examples]'
	@touch $@

.venv/dev: pyproject.toml .venv/examples
	$(PIP) install --editable '.[dev]'
	@touch $@

.venv/bench: pyproject.toml .venv/dev
	$(PIP) install --editable '.[bench]'
	@touch $@

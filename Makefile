# Everything a developer does here, by name. `make help` lists it.
# It needs git, make and Python 3.11 or newer; bin/setup brings the rest.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
export MUSTER_DATA_DIR ?= var

# Looked up when used, not when this file is read: bin/setup may have only just made it.
UV = $(shell command -v uv || echo .venv-uv/bin/uv)
RUN = $(UV) run --no-sync

# They start whole Musters or browsers, and want the machine for themselves.
HEAVY = tests/faults tests/browser

.PHONY: help
help:  ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: setup
setup:  ## Set up what running takes; nothing is done twice
	@$(PYTHON) bin/setup

.PHONY: setup-tests
setup-tests:
	@$(PYTHON) bin/setup --tests

.PHONY: run
run: setup  ## Run Muster with all it needs, its data in var/ (or MUSTER_DATA_DIR)
	@echo "Starting Muster"
	@# A job of its own on a terminal: then Ctrl-C is Muster's alone, and make does not call it an error.
	@if [ -t 0 ]; then set -m; fi; "$${UV_PROJECT_ENVIRONMENT:-.venv}/bin/muster" up

.PHONY: test
test: setup-tests  ## Run every check: lint, types, tests, features
	@$(MAKE) --no-print-directory --assume-old=setup lint types
	$(RUN) pytest -n 2 --dist loadscope $(HEAVY:%=--ignore=%)
	$(RUN) pytest $(HEAVY)
	$(RUN) python -m tests.features

.PHONY: lint
lint: setup  ## Check style, format and the direction of imports
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) lint-imports

.PHONY: format
format: setup  ## Format the code and fix what can be fixed by itself
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

.PHONY: types
types: setup  ## Check types
	$(RUN) mypy

.PHONY: features
features: setup  ## Say which capabilities of docs/features.md no passing test carries
	$(RUN) python -m tests.features

.PHONY: bench
bench: setup-tests  ## Measure speed
	@# What peers match with: where it cannot be had, the rest is measured without it.
	-@$(UV) sync --inexact --locked --quiet --group bench
	$(RUN) python -m tests.bench

.PHONY: screenshots
screenshots: setup-tests  ## Take the pictures of the pages
	$(RUN) python -m tests.screenshots

.PHONY: db-check
db-check: setup  ## Check that migrations and tables agree, on both databases
	$(RUN) pytest tests/store/test_migrations.py

.PHONY: clean
clean:  ## Remove what set-up and tools made; the data in var/ stays
	rm -rf .venv .venv-uv node_modules services/web/static/vendor
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find bin services tests workflows -name __pycache__ -type d -prune -exec rm -rf {} +

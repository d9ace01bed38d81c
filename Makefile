# Everything a developer does here, by name. `make help` lists it.
# It needs git, make and Python 3.11 or newer; bin/setup brings the rest.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
export MUSTER_DATA_DIR ?= var

# Looked up when used, not when this file is read: bin/setup may have only just made it.
UV = $(shell command -v uv || echo .venv-uv/bin/uv)
RUN = $(UV) run --no-sync

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
	$(RUN) muster up

.PHONY: test
test: setup-tests  ## Run every check: lint, types, tests
	@$(MAKE) --no-print-directory --assume-old=setup lint types
	$(RUN) pytest

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
features: setup-tests  ## Check that every capability in docs/features.md is carried by a test
	$(RUN) python -m tests.features

.PHONY: bench
bench: setup-tests  ## Measure speed
	$(RUN) python -m tests.bench

.PHONY: screenshots
screenshots: setup-tests  ## Take the pictures of the pages
	$(RUN) python -m tests.screenshots

.PHONY: db-check
db-check: setup  ## Check that the migrations and the tables in the code agree
	$(RUN) muster db check

.PHONY: clean
clean:  ## Remove what set-up and tools made; the data in var/ stays
	rm -rf .venv .venv-uv node_modules services/web/static/vendor
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find bin services tests workflows -name __pycache__ -type d -prune -exec rm -rf {} +

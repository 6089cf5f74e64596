# Every target sets itself up in .venv. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo dashboard test test-slow check format lint types

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable ".[dev]" --constraint constraints.txt
	@touch $@

setup: $(READY) ## Install Frido with its development tools into .venv

demo: $(READY) ## Train, sample, score and report the main job on procedural scenes (about 9 minutes on 2 cores)
	$(BIN)/python -m frido.run experiment=vg_sg2im data=scenes size=tiny

STUDY ?= $(notdir $(wildcard runs/studies/*))
dashboard: $(READY) ## Draw one page of studies and their runs: make dashboard STUDY=shared_vs_per_scale
	$(BIN)/python -m frido.report $(addprefix runs/studies/,$(STUDY)) --out runs/dashboard.html

test: $(READY) ## Run the tests, linters and type checker: everything CI runs
	@$(MAKE) --no-print-directory check

check: $(READY) lint types ## Everything CI runs, without set-up
	$(BIN)/python -m pytest

format: $(READY) ## Rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/mypy

test-slow: $(READY) ## The slow tests: kill -9 in the middle of the demo, at three moments (about 40 minutes)
	$(BIN)/python -m pytest -m slow

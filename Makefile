PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
LOGDIR ?= outputs
.PHONY: help setup demo tensorboard reproduce-textbook test lint format wheel clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: .venv/ready ## make .venv and install ganexp in it, with what development needs

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ganexp needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	@echo "installing (torch with CUDA is large: a minute or more)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $@

demo: setup ## train on the embedded digits, score, draw, and say where the pictures are
	$(BIN)/ganexp name=demo

tensorboard: setup ## TensorBoard on the runs in LOGDIR=outputs
	$(BIN)/tensorboard --logdir $(LOGDIR)

reproduce-textbook: setup ## the textbook's three cases on MNIST, as published and corrected, two seeds: an hour or so
	$(BIN)/python scripts/reproduce.py textbook --steps-fraction 0.0667 --seeds 2

test: setup ## run the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: setup ## style, and the arrows between the modules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: setup ## rewrite the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: setup ## build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

clean: ## remove what make made (runs in outputs/ stay)
	rm -rf .venv dist .pytest_cache .ruff_cache .import_linter_cache

PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
LOGDIR ?= outputs
UV ?= $(BIN)/uv
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := --compile-bytecode
PINNED := --require-hashes --no-build-isolation -r constraints.txt
PYTEST := -m pytest -n 2 --dist worksteal
.PHONY: help setup lock demo tensorboard reproduce-textbook docs test test-fast test-lowest lint format wheel clean

help: ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: .venv/ready ## create .venv and install ganexp in it, with the tools for development

# Every file is checked against its hash in constraints.txt. setuptools and uv come first: setuptools builds the one
# package that has no wheel (antlr4-python3-runtime), and uv installs all packages in a third of pip's time. uv does not
# read pip's configuration, such as the address of a mirror; therefore pip takes over if uv fails. uv and pip cannot
# check ganexp itself, so it comes last. COMPILE=, set to nothing, leaves the compilation to the first import.
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ganexp needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	@echo "installing (torch with CUDA is large: a minute or more)"
	@awk '/^[^ ]/ {inside = /^(setuptools|uv)==/} inside' constraints.txt > .venv/first.txt
	$(INSTALL) --require-hashes -r .venv/first.txt
	@$(BIN)/uv pip install --python $(BIN)/python $(COMPILE) $(PINNED) || \
		{ echo "uv failed: installing with pip instead"; $(INSTALL) $(PINNED); }
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

lock: setup ## update constraints.txt from pyproject.toml, with releases older than a week (UPGRADE=--upgrade: all packages)
	$(UV) pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --exclude-newer '7 days' $(UPGRADE) \
		--custom-compile-command 'make lock' --output-file constraints.txt pyproject.toml

demo: setup ## train on the embedded digits, score the samples, and print where the pictures are
	$(BIN)/ganexp name=demo

tensorboard: setup ## show the runs below LOGDIR=outputs in TensorBoard
	$(BIN)/tensorboard --logdir $(LOGDIR)

TEXTBOOK := outputs/reproduce/textbook
reproduce-textbook: setup ## train the textbook's three cases on MNIST in both forms with two seeds: about an hour
	$(BIN)/ganexp sweep=textbook seed=0,1 schedule.steps=5000 schedule.evaluate_every=1000 hydra.sweep.dir=$(TEXTBOOK)
	$(BIN)/python scripts/reproduce.py $(TEXTBOOK)

docs: setup ## write docs/methods.md from the config files and docstrings
	$(BIN)/python scripts/method_zoo.py

test: setup ## run all tests
	$(BIN)/python $(PYTEST)

test-fast: setup ## run the tests that are not marked slow, in about a minute
	$(BIN)/python $(PYTEST) -m "not slow"

test-lowest: ## run all tests with the lowest versions that pyproject.toml allows, in .venv/lowest (6 GB)
	$(UV) venv --quiet --clear --python 3.11 .venv/lowest
	$(UV) pip compile --quiet --resolution lowest-direct --python-version 3.11 --extra sweep --output-file .venv/lowest/lowest.txt pyproject.toml
	$(UV) pip install --quiet --python .venv/lowest --constraint .venv/lowest/lowest.txt --editable '.[dev]'
	.venv/lowest/bin/python $(PYTEST)

lint: setup ## check style, types and the directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## let ruff rewrite the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: setup ## build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

clean: ## remove what these commands created, except the runs in outputs/
	rm -rf .venv dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache

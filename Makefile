# make run     start the Studio (sets up .venv the first time)
# make test    every check and every test (sets up the browser too)
# make lint    ruff, mypy, import-linter
# make bench   the benchmarks against pykan
# make clean   remove what the other targets made, .venv too

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# A stamp says which lock file .venv was made from: a changed lock file renews it.
RUN_READY := $(VENV)/.ready-run
TEST_READY := $(VENV)/.ready-test
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

# Two at a time, also where there are more cores: some tests start processes of their own.
JOBS ?= 2

# Compiled now, for both dtypes side by side, so that the first training does not wait for it.
WARM_UP := $(BIN)/python -c 'from kanstudio.training.kernel import warm_up; warm_up("float64", "float32")'

.PHONY: help run test lint bench lock clean

help:
	@sed -n 's/^# make/make/p' Makefile

run: $(RUN_READY)
	$(BIN)/python -m kanstudio serve $(ARGS)

test: lint $(TEST_READY)
	$(BIN)/python tests/browser.py
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

lint: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(TEST_READY)
	$(BIN)/python -m benchmarks $(ARGS)

lock: $(TEST_READY)
	$(BIN)/python tools/lock.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache \
		.import_linter_cache .cache test-results examples/figures
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "KAN Studio needs Python 3.11 or newer: install it," \
		"or name it: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual" \
		"environment (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }

$(RUN_READY): requirements.txt pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV): this takes a few minutes the first time"
	$(PIP) install -r requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@$(WARM_UP)
	@touch $@

$(TEST_READY): requirements-test.txt requirements.txt pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) with the tests: this takes a few minutes the first time"
	$(PIP) install -r requirements-test.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@$(WARM_UP)
	@touch $(RUN_READY) $@

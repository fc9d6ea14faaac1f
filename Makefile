# One front door for people and CI. `make` alone lists the verbs.
# PYTHON chooses the interpreter that makes the environment: make setup PYTHON=python3.12
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.setup-done
COMPILED := .venv-compiled
# For the C compiler: inline caches for compiled code.
CACHES := deploy/mypyc_caches.h
# Those that look at nothing but the installed package.
CORE_TESTS := tests/laws tests/stories tests/golden $(addprefix tests/core/test_, activity.py contribution.py \
  costs.py decode.py dedupe.py inline_caches.py ledger.py merge.py money.py order_stats.py population.py rates.py scalars.py \
  segment.py supply.py times.py zones.py)
UV     := 0.13.8
# Tests start Python some hundred times, and compiling anew what it imports is half of a start: what was compiled is kept,
# also where the shell has set that it is not.
export PYTHONDONTWRITEBYTECODE =
# Extra arguments for pytest or the demo: make test ARGS="-k cart"
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help setup compiled test-compiled run test test-quick test-servers test-long check format reference kafka-jars services services-stop bench bench-quick bench-check clean

help: ## this list
	@echo "Regulars: customer profiles and triggers from a shop's event stream"
	@echo
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## the environment in .venv, from uv.lock (nothing to do when it is current)

# Every recipe needs what the checks below look for, so each missing thing is named once, with where to get it.
$(STAMP): pyproject.toml uv.lock
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "Regulars needs Python 3.11 or later, and '$(PYTHON)' was not found."; \
	  echo "  Debian, Ubuntu: apt-get install python3 python3-venv    macOS: brew install python    else: https://www.python.org/downloads/"; \
	  echo "  Another name or place: make setup PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Regulars needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) -V 2>&1)."; \
	  echo "  If a later one is installed: make setup PYTHON=python3.12"; exit 1; }
	@command -v bash >/dev/null 2>&1 || { echo "Regulars needs bash (apt-get install bash, apk add bash)."; exit 1; }
	@# A .venv without pip is one that was left half made, or made by another tool: start again.
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  rm -rf $(VENV); \
	  if $(PYTHON) -c 'import ensurepip, venv' >/dev/null 2>&1; then $(PYTHON) -m venv $(VENV); \
	  elif $(PYTHON) -m virtualenv --version >/dev/null 2>&1; then $(PYTHON) -m virtualenv -q $(VENV); \
	  else echo "$(PYTHON) can't make virtual environments: its venv module is a package of its own on this system."; \
	    echo "  Debian, Ubuntu: apt-get install python3-venv    else: $(PYTHON) -m pip install --user virtualenv"; exit 1; fi; fi
	@echo "Installing what uv.lock names into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV) || { \
	  echo "Could not install uv from the Python package index: is there a network (or a proxy to set)?"; exit 1; }
	@VIRTUAL_ENV= UV_PROJECT_ENVIRONMENT=$(VENV) $(BIN)/uv sync --quiet --frozen --inexact --extra demo --extra parquet --extra fit --extra report --extra plan --extra protection
	@touch $@

# The wheel with the hot path as C (mypyc), in an environment of its own. Made anew when a source of it changed.
$(COMPILED)/.done: $(STAMP) $(CACHES) $(wildcard schemas/*.py schemas/adapters/*.py profiles/*.py profiles/*/*.py streams/*.py streams/*/*.py)
	@command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || { \
	  echo "The compiled worker needs a C compiler (apt-get install gcc); everything runs without it too, only slower."; exit 1; }
	@$(BIN)/python -c 'import os, sysconfig; raise SystemExit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || { \
	  echo "The compiled worker needs Python's C headers (apt-get install python3-dev)."; exit 1; }
	@echo "Compiling the hot path (a minute or two) ..."
	@rm -rf $(COMPILED) dist/compiled
	@HATCH_BUILD_HOOK_ENABLE_MYPYC=1 CFLAGS="-include $(CURDIR)/$(CACHES) -fvisibility=hidden -fno-plt" $(BIN)/uv build --quiet -o dist/compiled
	@$(BIN)/uv venv --quiet --python $(BIN)/python $(COMPILED)
	@VIRTUAL_ENV= UV_PROJECT_ENVIRONMENT=$(COMPILED) $(BIN)/uv sync --quiet --frozen --no-install-project --extra parquet
	@VIRTUAL_ENV=$(COMPILED) $(BIN)/uv pip install --quiet --no-deps dist/compiled/*.whl
	@touch $@

compiled: $(COMPILED)/.done ## the worker with its hot path compiled, a third faster: .venv-compiled/bin/regulars worker

test-compiled: compiled ## the tests of the pure core on the compiled modules
	@rm -rf $(COMPILED)/tests && mkdir -p $(COMPILED)/tests && cp -r tests pyproject.toml $(COMPILED)/tests/
	@cd $(COMPILED)/tests && ../bin/python -c 'import profiles.engine as e; assert e.__file__.endswith(".so"), e.__file__'
	@cd $(COMPILED)/tests && ../bin/python -m pytest -q -p no:cacheprovider -n logical --dist worksteal $(CORE_TESTS) $(ARGS)

run: setup ## the main job on a real shop's year of orders, no server needed; results in ./out
	@$(BIN)/regulars demo $(ARGS)

test: setup ## all tests (those with Kafka and Redis need the servers' programs, and say so)
	@$(MAKE) --no-print-directory --keep-going test-quick test-servers

# 5 is pytest's "no tests": where ARGS choose some, all may be of the other half.
test-quick: setup ## the tests that need no server, on all cores
	@$(BIN)/pytest -n logical --dist worksteal -m "not long and not (kafka or redis)" $(ARGS) || [ $$? -eq 5 ]

test-servers: setup ## those with a real Kafka and Redis, one by one: some look at how long something takes
	@$(BIN)/pytest -m "not long and (kafka or redis)" $(ARGS) || [ $$? -eq 5 ]

test-long: setup ## the long variants as well
	@$(BIN)/pytest -m "long or not long" $(ARGS)

check: setup ## style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: setup ## put the code into its standard form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only --quiet .

reference: setup ## write docs/reference anew from the code
	@$(BIN)/python -m streams.reference

kafka-jars: setup ## fetch the jars of the local Kafka (Maven, about 54 MB)
	@$(BIN)/python -m streams.local.services jars

services: setup ## start a real Kafka and a real Redis here, without Docker
	@$(BIN)/python -m streams.local.services start

services-stop: setup ## stop them
	@$(BIN)/python -m streams.local.services stop

bench: setup ## all benchmarks side by side with other engines, then docs/benchmarks.md (half a day; see bench/README.md)
	@$(BIN)/python -m bench run $(ARGS)
	@$(BIN)/python -m bench report

bench-quick: setup ## the main ones small and once, in five minutes; nothing is kept
	@$(BIN)/python -m bench run --quick $(ARGS)

bench-check: setup ## whether an event costs more instructions than it may (half a minute, needs valgrind)
	@$(BIN)/python -m bench check $(ARGS)

clean: ## remove the environment, caches and output (not the state of `make services`)
	@rm -rf $(VENV) $(COMPILED) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist out .bench-cache bench/peers/*/target
	@find schemas profiles streams tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

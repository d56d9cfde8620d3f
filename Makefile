# `make run` and `make test` are all that a machine with Python 3.11 and make needs: each makes .venv, installs exactly
# what its lock names, and goes on. The second time each goes straight on.

PORT ?= 8000
PYTHON ?= $(shell for name in python3.11 python3 python3.12 python3.13 python3.14 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
export PYTHONDONTWRITEBYTECODE := # empty is off: with compiled modules a start takes a second less
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps
LOCKED := $(PIP) --only-binary :all: --require-hashes --requirement
UV ?= $(VENV)/lock/bin/uv
COMPILE = $(UV) pip compile $(UPGRADE) --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header

ALONE = $(BIN)/python -c 'import fcntl, subprocess, sys; held = open(sys.argv[1], "w"); \
	fcntl.flock(held, fcntl.LOCK_EX); sys.exit(subprocess.call(sys.argv[2:]))'

.PHONY: run test lint schema law bench fuzz console bundle ocr lock reset clean

# The shell becomes the server, so that a signal to make reaches it.
run: $(VENV)/run.stamp
	@test -e src/greenroom/console/index.html || { \
		echo "The explorer is built in the meantime; how that goes: $(VENV)/console.log"; \
		{ $(MAKE) --no-print-directory console > $(VENV)/console.log 2>&1 || \
			echo "The explorer could not be built, the API works without it. Why: $(VENV)/console.log"; } & }
	@exec $(BIN)/greenroom serve --demo --port $(PORT)

# From the cheapest to the dearest; the first red ends it. pytest that finds no test (5) is red as well.
test: lint
	$(BIN)/greenroom schema | diff -u schema.graphql - # if this is meant: make schema
	$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports importlinter.ini

schema: $(VENV)/dev.stamp
	$(BIN)/greenroom schema > $(VENV)/schema.graphql
	mv $(VENV)/schema.graphql schema.graphql

law: $(VENV)/dev.stamp
	$(BIN)/python docs/law.py > $(VENV)/law.md
	mv $(VENV)/law.md docs/law.md

bench: $(VENV)/dev.stamp
	$(BIN)/python -m bench
	$(BIN)/python -m bench.uploads
	$(BIN)/python -m bench.photos

# Two builds at once would clash: the second waits, and finds what the first has built.
console: $(VENV)/run.stamp
	@rm -f $(VENV)/console.failed
	@$(ALONE) $(VENV)/console.lock $(MAKE) --no-print-directory bundle || { touch $(VENV)/console.failed; exit 1; }

bundle: $(VENV)/console.stamp
	@$(BIN)/python console/build.py

# Beside what `make run` installs: the engine that reads zones from photos.
ocr: $(VENV)/run.stamp
	@$(LOCKED) requirements-ocr.lock

# Ten thousand damaged photos, where every test run tries 2,500.
fuzz: $(VENV)/dev.stamp
	GREENROOM_FUZZ=10000 $(BIN)/python -m pytest tests/documents/test_fuzz.py

# For maintainers: resolve pyproject.toml anew, keeping versions that still fit; UPGRADE=--upgrade keeps none.
lock: $(UV) $(BIN)/python
	$(COMPILE) pyproject.toml --extra embedded --extra ocr --group dev -o requirements-dev.lock
	$(COMPILE) pyproject.toml --extra embedded --group build -c requirements-dev.lock -o requirements.lock
	$(COMPILE) --group console -c requirements-dev.lock -o requirements-console.lock
	$(BIN)/python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
		print(*project["optional-dependencies"]["ocr"], sep="\n")' \
		| $(COMPILE) - -c requirements-dev.lock -o requirements-ocr.lock

# Start over: the next `make run` fills a new world, its times counted from then. It stops nothing.
reset: $(VENV)/run.stamp
	@$(BIN)/python -c 'import pathlib, sys; from greenroom.embedded import running; \
		sys.exit("PostgreSQL runs on .greenroom: stop what uses it first." if running(pathlib.Path(".greenroom")) else 0)'
	rm -rf .greenroom/postgres/* .greenroom

# Leaves .greenroom, where the data are.
clean:
	rm -rf $(VENV) dist console/node_modules src/greenroom/console \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Greenroom needs Python 3.11 or newer; another name for it: make PYTHON=…"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV), about half a minute"
	@$(LOCKED) requirements.lock
	@$(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "Installing into $(VENV), about a minute"
	@$(LOCKED) requirements-dev.lock
	@$(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/console.stamp: requirements-console.lock | $(BIN)/python
	@$(LOCKED) requirements-console.lock
	@touch $@

$(VENV)/lock/bin/uv:
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet uv

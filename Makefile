# One command each: make demo, make test, make check, make bench, make soak. They make the environment they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test soak check format bench lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

# The environment follows the lock file exactly; the project itself is installed in place.
$(READY): pyproject.toml requirements.lock .ci/system-packages
	@.ci/system-packages $(PYTHON)
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## the main job on this machine, without a cluster
	@$(BIN)/reconciler demo

# The first run builds the API server that the tests need, in minutes and without root; a Go that is new enough for
# that is fetched where there is none.
test: $(READY) ## every test
	@.ci/system-packages $(PYTHON) tests
	$(BIN)/pytest

soak: $(READY) ## the long tests: what `make test` does in a few rounds, in many
	$(BIN)/pytest -m soak

check: $(READY) ## what CI checks before the tests: format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## measure speed and memory, as a table
	$(BIN)/python -m benchmarks

lock: ## renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev \
	  --no-header --no-annotate --no-emit-index-url --upgrade pyproject.toml --output-file requirements.lock

clean: ## remove what the other targets made
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

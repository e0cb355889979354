# One command each: make demo, make test, make check, make bench, make soak. They make the environment they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test soak check format bench docs image sbom lock clean
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
# What these rooms test is a matter of time, so they run one after the other; all others two at a time.
TIMED := announcers bfd bgp bgpsite fullpath l2 loop membership netns routers simulation

test: $(READY) ## every test
	@.ci/system-packages $(PYTHON) tests
	@status=0; \
	$(BIN)/pytest --numprocesses 2 --dist loadfile $(foreach room,$(TIMED),--ignore tests/$(room)) || status=1; \
	$(BIN)/pytest $(addprefix tests/,$(TIMED)) || status=1; \
	exit $$status

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

docs: $(READY) ## the documentation as a web site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --config-file docs/site/mkdocs.yml
	@echo "Open build/site/index.html, or for the search: $(BIN)/python -m http.server --directory build/site"

# With another engine: make image ENGINE=podman IMAGE=registry.example.com/platform/lb-reconciler:0.1.0
ENGINE ?= docker
IMAGE ?= lb-reconciler:$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' reconciler/__init__.py)

image: ## build the container image (needs an engine)
	$(ENGINE) build --file Containerfile --tag $(IMAGE) \
	  --build-arg VERSION=$(lastword $(subst :, ,$(IMAGE))) --build-arg REVISION=$$(git rev-parse HEAD) .

sbom: $(READY) ## list what the image brings beside Python, as CycloneDX in build/sbom.json
	$(PYTHON) -m venv --clear --without-pip build/image
	$(BIN)/pip --python build/image/bin/python install --quiet --no-compile --only-binary :all: \
	  --require-hashes --requirement requirements-image.lock
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheel .
	$(BIN)/pip --python build/image/bin/python install --quiet --no-compile --no-deps --no-index \
	  --find-links build/wheel lb-reconciler
	$(BIN)/python .ci/sbom.py build/image/lib/python3*/site-packages build/sbom.json

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url

lock: ## renew the locks from pyproject.toml (needs uv): of the checkout, and of it those of the image
	$(LOCK) --extra dev --extra docs --upgrade pyproject.toml --output-file requirements.lock
	$(LOCK) --constraint requirements.lock pyproject.toml --output-file requirements-image.lock
	echo hatchling | $(LOCK) --constraint requirements.lock - --output-file requirements-build.lock

clean: ## remove what the other targets made
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

# Everyday commands; `make help` lists them. They need nothing but Python 3.11 or later: the first
# one that is called sets up .venv from requirements.lock (every package by its hash).

PYTHON ?= python3
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest
DEMO_KEY := --key .demo/key.pem --cert .demo/certificate.pem

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(READY) ## Build inventories/litwareinc.yml, sign and seal it with a test key, print its run sheet
	@$(BIN)/runbook build inventories/litwareinc.yml
	@$(BIN)/python tests/tools/throwaway_key.py .demo
	@echo "The key in .demo is for trying out only: nobody trusts it, and it lies open on the disk." >&2
	@$(BIN)/runbook sign out/litwareinc $(DEMO_KEY)
	@$(BIN)/runbook package out/litwareinc $(DEMO_KEY) --inventory inventories/litwareinc.yml \
		--output .demo/litwareinc.zip
	@$(BIN)/runbook verify .demo/litwareinc.zip --anchors .demo/certificate.pem
	@$(BIN)/runbook reproduce .demo/litwareinc.zip --anchors .demo/certificate.pem
	@cat out/litwareinc/RUNSHEET.md

.PHONY: test
test: $(READY) ## Run the tests that every change must pass (needs pwsh)
	$(PYTEST) -n $(WORKERS) -m "not soak"

.PHONY: soak
soak: $(READY) ## Run the whole matrices that `make test` samples; takes long
	$(PYTEST) -n $(WORKERS) -m soak

.PHONY: bench
bench: $(READY) ## Measure builds, start-up and signing beside their limits and peers; prints ratios
	PYTHONPATH=.:tests/support:tests/unit $(BIN)/python tests/tools/bench_build.py
	PYTHONPATH=.:tests/support:tests/unit $(BIN)/python tests/tools/bench_signing.py

.PHONY: check
check: $(READY) ## Check format, style, types and layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: snapshots
snapshots: $(READY) ## Write golden files and generated sections anew; read the diff before a commit
	rm -rf tests/golden
	$(PYTEST) tests/runbooks/test_golden.py --snapshot-update
	$(BIN)/python tests/tools/readme.py

.PHONY: lock
lock: $(READY) ## Write requirements.lock anew from pyproject.toml
	$(PIP) install uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --upgrade pyproject.toml --group test --output-file requirements.lock

.PHONY: clean
clean: ## Remove .venv and caches; what lies in out/ stays
	rm -rf $(VENV) .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "This needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	@echo "Setting up $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Everything a developer or CI does, on a machine that has Python 3.11 or newer, git and make. `make help` lists it.
#
#   PYTHON=python3.13      the Python to make .venv with; otherwise the first on the PATH that is new enough
#   PYTEST_ARGS='-k name'  what pytest is told

PYTHON ?=
PYTEST_ARGS ?= -n 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types format format-check bench docs lock clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## See the whole idea work: files, a database, an agent with a tool, its history
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/demo.sh .demo

test: $(VENV)/.installed-dev ## Run all tests
	$(BIN)/pytest $(PYTEST_ARGS)

check: format-check lint types test ## Everything that must hold before a change goes in

format-check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed-dev ## Look for mistakes
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev ## Check the types
	$(BIN)/mypy -p aurite -p tests -p bench
	$(BIN)/mypy scripts/docs.py

format: $(VENV)/.installed-dev ## Lay out the code, and mend what can be mended safely
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed-dev ## Measure against the floors of the bare drivers
	$(BIN)/python -m bench

docs: $(VENV)/.installed-dev ## Write the generated parts of the documentation anew
	$(BIN)/python scripts/docs.py

lock: $(VENV)/.python ## Write the lock files anew; UPGRADE=--upgrade takes newer versions
	$(PIP) install uv
	sh scripts/lock.sh $(BIN)/uv $(UPGRADE)

clean: ## Remove what the targets above made
	rm -rf $(VENV) .demo dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.python:
	@sh scripts/venv.sh $(VENV) "$(PYTHON)"
	@touch $@

$(VENV)/.installed: $(VENV)/.python requirements.lock pyproject.toml
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

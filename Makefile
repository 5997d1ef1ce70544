# Everything a newcomer types. Needs Python 3.11, git and make; the rest is installed by scripts/bootstrap.py.

# The first that runs and is new enough; a name alone may be a shim that leads nowhere.
PYTHON ?= $(or $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done),python3)
VENV := $(or $(KONTOR_VENV),.venv)
BIN := $(VENV)/bin
WORKERS ?= 2
TESTS ?=

.DEFAULT_GOAL := help
.PHONY: help up install dev test check format bench-gateway bench-journey bench-policy lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s'|' 2>/dev/null \
	  || grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST)

up: install ## start all of Kontor on this machine; Ctrl-C stops it
	@exec $(BIN)/kontor up

install: ## Python packages into .venv, as the lock file says
	@$(PYTHON) scripts/bootstrap.py

dev: ## and what tests and checks need (OpenClaw, Chromium)
	@$(PYTHON) scripts/bootstrap.py --dev

test: dev ## all tests; TESTS="tests/core -k postgres" for some
	@$(BIN)/python -m pytest $(if $(TESTS),$(TESTS),-n $(WORKERS) --dist loadgroup)

check: dev ## ruff, mypy, the layers, migrations in step with the models
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/check_migrations.py

format: dev ## put the code in its form
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench-gateway: dev ## what the gateway costs, beside nginx and LiteLLM (needs nginx and wrk); the last line is JSON
	@PYTHONPATH=tests $(BIN)/python benchmarks/gateway

bench-journey: install ## sign-up to first answer, cold and pooled; the last line is JSON
	@$(BIN)/python benchmarks/journey.py

bench-policy: dev ## microseconds per prompt of the classifier, beside plain words; the last line is JSON
	@$(BIN)/python benchmarks/policy.py

lock: ## choose the versions anew (needs uv)
	@echo 'setuptools>=75' | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  $(LOCK_ARGS) -o requirements.lock pyproject.toml -
	@echo 'setuptools>=75' | uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  -c requirements.lock --extra dev -o requirements-dev.lock pyproject.toml -

clean: ## remove what was installed and cached here; data in .kontor stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis htmlcov build dist src/*.egg-info

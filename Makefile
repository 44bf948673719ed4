# The project's commands. Each prepares what it needs first: on a bare Debian machine Python 3.11, git and make are enough.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

BIN := .venv/bin
INSTALLED := .venv/installed
UNIT := not integration and not e2e and not browser and not kubernetes
FAULT ?= crash_loop
CASES ?= ../shared/opsbench/cases
ARGS ?=
EXAM := $(if $(filter command line environment,$(origin CASES)),--cases $(CASES)) $(if $(HALF),--half $(HALF))

.PHONY: help setup programs check test coverage demo lint format docs pictures lock bench bench-diagnosis bench-exam clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) programs ## Prepare everything: .venv, and as root Debian's packages that the tests use

$(INSTALLED): pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh venv

programs:
	@scripts/setup.sh programs prometheus alertmanager chromium postgresql redis-server

check: lint ## Lint, types, layers and the unit tests: fast, before every commit
	$(BIN)/pytest -q -n auto --dist worksteal -m "$(UNIT)" $(ARGS)

test: lint programs ## Everything: unit tests, real servers, browser, and the demo's four faults (an API server too, if KUBEBUILDER_ASSETS)
	$(BIN)/pytest -q -n auto --dist worksteal $(ARGS)

coverage: lint programs ## The same, with the lines and branches that no test reaches
	$(BIN)/pytest -q -n auto --dist worksteal --cov --cov-report=term:skip-covered $(ARGS)

demo: $(INSTALLED) ## Watch Responder answer an alert: FAULT=crash_loop|high_response_time|websocket_failures|database_issues, CHECK=1
	@scripts/setup.sh programs prometheus alertmanager
	@$(BIN)/responder demo --fault $(FAULT) $(if $(CHECK),--check)

lint: $(INSTALLED) ## Style, types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(INSTALLED) ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(INSTALLED) ## Generate the pages of docs/ that come from the code
	$(BIN)/python -m docs.generate

pictures: $(INSTALLED) ## Take the pictures of docs/sinks again, from the previews
	$(BIN)/python -m docs.pictures

lock: $(INSTALLED) ## Renew constraints.txt with the newest versions that pyproject.toml allows
	PYTHON=$(BIN)/python scripts/lock.sh

bench: $(INSTALLED) ## Measure speed and size side by side with the plainest thing that could work
	$(BIN)/python -m benchmarks $(ARGS)

bench-diagnosis: $(INSTALLED) ## Play recorded cluster faults through the service: CASES=DIR, TRUTH=FILE
	$(BIN)/python -m benchmarks.bench_diagnosis $(CASES) $(if $(TRUTH),--truth $(TRUTH)) $(ARGS)

bench-exam: $(INSTALLED) ## Answer cases of other clusters in process: CASES=FILE.tar.gz, or HALF=development|held
	$(BIN)/python -m benchmarks.bench_exam $(EXAM) $(ARGS)

clean: ## Remove what the commands made, .venv included
	rm -rf .venv build dist htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Everything is installed into .venv (and .venv-3.1) by the first target that needs it; python3 and git are the machine's.
PYTHON ?= python3
API ?= v1
export UV_PROJECT_ENVIRONMENT := .venv

BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLED_FLOOR := .venv-3.1/.installed
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help install demo demo-distributed airflow test suite floor test-browser test-warehouses lint fmt types docs bench bench-full torture house lock build clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

install: $(INSTALLED) ## install the package and its development tools into .venv

demo: $(INSTALLED) ## send to a sandbox that loses answers, get results, and run again; see that nobody is called twice. API=v2: by API v2
	$(BIN)/python dags/demo/run.py --api $(API)

demo-distributed: $(INSTALLED) ## the same with many workers: kill a worker, stop the scheduler, restart PostgreSQL
	$(BIN)/python -W "ignore:XDG_RUNTIME_DIR is not set" dags/demo/distributed.py

airflow: $(INSTALLED) ## start Airflow with a campaign that was sent, one that waits, the example DAGs, and the sandbox
	$(BIN)/python dags/demo/standalone.py

test: lint types docs suite floor ## run what CI runs before test-browser and test-warehouses: lint, types, docs, all tests, and the tests for the oldest Airflow

suite: $(INSTALLED) ## run the tests alone, in parallel
	$(BIN)/python -m pytest --numprocesses=logical --maxprocesses=8 --dist=loadgroup

# Airflow 3.1 warns about its own imports, so there warnings are shown and do not fail. Files without such a test are not
# even imported: they use what it does not have.
floor: $(INSTALLED_FLOOR) ## run the tests marked floor, with Airflow 3.1
	.venv-3.1/bin/python -m pytest $$(grep -rl --include='test_*.py' 'mark\.floor' tests) -m floor -W default --disable-warnings

test-browser: $(INSTALLED) ## run the tests that open Airflow and the report page in Chromium
	$(BIN)/python -m pytest tests/browser -m browser

test-warehouses: $(INSTALLED) ## run the tests that need a MariaDB server and its C library
	$(BIN)/uv sync --quiet --frozen --inexact --all-extras --group mariadb
	$(BIN)/python -m pytest tests/warehouses -m mariadb

lint: $(INSTALLED) ## check style, format, and imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo

fmt: $(INSTALLED) ## format the code, and fix what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(INSTALLED) ## check the types
	$(BIN)/mypy

docs: $(INSTALLED) ## build the documentation into site/, and check its readability; any problem fails
	$(BIN)/zensical build --strict
	$(BIN)/python -m tools.readability
	$(BIN)/python -m tools.wording

bench: $(INSTALLED) ## measure, and print ratios
	$(BIN)/python -m benchmarks

bench-full: $(INSTALLED) ## measure with a million contacts, and millions of sends in the ledger; this takes hours
	$(BIN)/python -m benchmarks --full
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.workers
	$(BIN)/python -m benchmarks.receiver
	$(BIN)/python -m benchmarks.versions
	$(BIN)/python -m benchmarks.page
	$(BIN)/python -m benchmarks.lists
	$(BIN)/python -m benchmarks.screening
	$(BIN)/python -m benchmarks.commands

torture: $(INSTALLED) ## kill runs 200 times while the sandbox fails, on each database; print messages sent twice or lost
	$(BIN)/python -m tests.acceptance.torture --kills 200 --rows 4000 --database sqlite
	$(BIN)/python -m tests.acceptance.torture --kills 200 --rows 4000 --database postgresql
	$(BIN)/python -m tests.acceptance.torture --kills 24 --rows 2000 --database postgresql --api v2
	$(BIN)/python -m tests.acceptance.doubt --kills 50

house: $(INSTALLED) ## print the size and structure of the package, and the goals
	$(BIN)/python -m tools.house

lock: $(INSTALLED) ## update uv.lock and tests/requirements-airflow-3.1.txt
	$(BIN)/uv lock --upgrade
	$(COMPILE) --upgrade pyproject.toml tests/requirements-airflow-3.1.in --output-file tests/requirements-airflow-3.1.txt

build: $(INSTALLED) ## build the wheel and the source archive into dist
	$(BIN)/uv build

clean: ## remove everything that make created
	rm -rf .venv .venv-3.1 .airflow .demo .demo-v2 .demo-distributed .hypothesis .import_linter_cache .mypy_cache .ruff_cache build dist site .cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml uv.lock
	@echo "Installing Airflow, this package, and its development tools into .venv. The first time takes two to five minutes."
	test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet uv; }
	$(BIN)/uv sync --frozen --inexact --all-extras --compile-bytecode
	touch $@

$(INSTALLED_FLOOR): pyproject.toml tests/requirements-airflow-3.1.txt | $(INSTALLED)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-3.1
	$(BIN)/uv pip install --quiet --compile-bytecode --python .venv-3.1/bin/python --requirements tests/requirements-airflow-3.1.txt
	$(BIN)/uv pip install --quiet --python .venv-3.1/bin/python --no-deps --editable .
	touch $@

# What people do with a checkout. Nothing needs to be installed by hand but Python 3.11+, make and git.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
# Two workers for two cores; a file's tests stay together, so that a browser or a database is started once. Files go in
# the order of tests/conftest.py: by themselves the workers would begin with those of most tests, not of the longest.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder
COVERAGE ?= $(if $(CI),--cov --cov-report=term)
UV ?= .venv/bin/uv

BIN := .venv/bin
# Set-up speaks on stderr: stdout belongs to the command that was asked for.
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input install
LOCKED := $(PIP) --no-deps --require-hashes --only-binary=:all: --no-compile
# All at once, on all cores, without the packages' own tests; pip would do it file by file. A file that is no Python
# of today (some packages carry such) is no reason to stop.
COMPILED := $(BIN)/python -m compileall -qq -j 0 -x '/tests/' .venv/lib >&2 || true
CODE := api consent migrations personalise
SCRIPTS := $(wildcard tests benchmarks examples)
TEMPLATES := $(wildcard api/templates api/*/templates)

.PHONY: help
help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: .venv/run.stamp  ## the whole story on sample customers, in one process, nothing kept
	@$(BIN)/byleave demo $(ARGS)

.PHONY: serve
serve: .venv/run.stamp  ## pages and API on this machine, with the worker; of your own deployment, else of the demo's
	@BYLEAVE_HOME="$${BYLEAVE_HOME:-$$([ -d byleave-home ] && echo byleave-home || echo byleave-demo)}" \
	  $(BIN)/byleave serve --with-worker $(ARGS)

.PHONY: hillstrom
hillstrom: .venv/run.stamp  ## replay a real e-mail experiment: DATA=hillstrom.csv [SEED=7]; one JSON object on stdout
	@$(if $(DATA),,echo 'make hillstrom needs DATA=path/to/hillstrom.csv' >&2; exit 2)
	@$(BIN)/python examples/hillstrom/run.py --data '$(DATA)' $(if $(SEED),--seed '$(SEED)') $(ARGS)

.PHONY: telephone
telephone: .venv/run.stamp  ## what each further call of a real campaign brought: DATA=bank_calls.csv; one JSON object on stdout
	@$(if $(DATA),,echo 'make telephone needs DATA=path/to/bank_calls.csv' >&2; exit 2)
	@$(BIN)/python examples/telephone/run.py --data '$(DATA)' $(ARGS)

.PHONY: test
test: check  ## everything static, then all tests; in CI with their coverage, which takes twice the time
	@chromium="$$(tests/browser.sh)" && \
	CHROMIUM="$$chromium" $(BIN)/python -m pytest $(COVERAGE) $(PYTEST_ARGS)

.PHONY: check
check: .venv/dev.stamp  ## everything static: format, lint, types, architecture, dependencies, templates
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(CODE) $(SCRIPTS)
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry $(CODE)
	$(if $(TEMPLATES),$(BIN)/djlint --lint --quiet $(TEMPLATES))

.PHONY: format
format: .venv/dev.stamp  ## rewrite the code as `make check` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: fuzz
fuzz: .venv/fuzz.stamp  ## bytes made up to break what reads files, strings and proofs: SECONDS=60 for each reader [TARGETS="csv gpp"]
	@$(BIN)/python -m tests.fuzz.run --seconds $(or $(SECONDS),60) $(TARGETS)

.PHONY: spark
spark: .venv/spark.stamp  ## runs on Spark, on this machine's Java (17 or newer): their tests, and what Spark costs
	@PYTHONPATH=. $(BIN)/python -m pytest tests/spark
	@PYTHONPATH=. $(BIN)/python -m benchmarks.spark $(ARGS)

.PHONY: bench
bench: .venv/bench.stamp  ## every claim of docs/performance.md, measured beside its limit and its peers
	@$(BIN)/python benchmarks/run_all.py $(ARGS)

# The same versions on every Python and system we run on, each file with its hash, and no address in it.
# uv is told nothing by this machine: neither configuration files nor variables that name other indexes.
COMPILE = env -u UV_INDEX -u UV_INDEX_URL -u UV_DEFAULT_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
	$(UV) pip compile --no-config --quiet --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-header --no-emit-index-url --no-emit-find-links --annotation-style line $(UPGRADE)

.PHONY: lock
lock: $(if $(filter $(BIN)/uv,$(UV)),.venv/dev.stamp)  ## rewrite requirements/ from pyproject.toml; UPGRADE=--upgrade to move versions
	$(COMPILE) pyproject.toml -o requirements/run.txt >/dev/null
	$(COMPILE) --group build -c requirements/run.txt -o requirements/build.txt >/dev/null
	$(COMPILE) pyproject.toml --group build --group dev -c requirements/run.txt -c requirements/build.txt -o requirements/dev.txt >/dev/null
	$(COMPILE) --group fuzz -c requirements/dev.txt -o requirements/fuzz.txt >/dev/null
	$(COMPILE) pyproject.toml --extra spark --group spark -c requirements/dev.txt -o requirements/spark.txt >/dev/null
	$(COMPILE) pyproject.toml --group bench -c requirements/run.txt -c requirements/dev.txt -o requirements/bench.txt >/dev/null

.PHONY: clean
clean:  ## remove what make made: the environment, caches, builds; never your data
	rm -rf .venv .coverage .coverage.* .fuzz .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What the product runs on, and the product itself as .venv/bin/byleave, pointing at this checkout.
.venv/run.stamp: requirements/build.txt requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Byleave needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo 'Setting up .venv ...' >&2
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv >&2
	@$(LOCKED) -r requirements/build.txt -r requirements/run.txt >&2
	@$(PIP) --no-deps --no-build-isolation --editable . >&2
	@$(COMPILED)
	@touch $@

.venv/dev.stamp: requirements/dev.txt .venv/run.stamp
	@echo 'Adding what tests need ...' >&2
	@$(LOCKED) -r requirements/dev.txt >&2
	@$(COMPILED)
	@touch $@

.venv/fuzz.stamp: requirements/fuzz.txt .venv/dev.stamp
	@echo 'Adding what fuzzing needs ...' >&2
	@$(LOCKED) -r requirements/fuzz.txt >&2
	@$(COMPILED)
	@touch $@

# pyspark comes as source alone, 450 MB of it, nearly all of it Java that is only unpacked; setuptools, which does that,
# is locked like everything else.
.venv/spark.stamp: requirements/spark.txt .venv/dev.stamp
	@java -version >/dev/null 2>&1 || { echo 'make spark needs Java 17 or newer on the path' >&2; exit 2; }
	@echo 'Adding Spark ...' >&2
	@grep -A99 '^setuptools==' requirements/spark.txt | awk 'NR > 1 && !/^ / { exit } { print }' > .venv/setuptools.txt
	@$(LOCKED) -r .venv/setuptools.txt >&2
	@$(LOCKED) --no-binary=pyspark --no-build-isolation -r requirements/spark.txt >&2
	@touch $@

# PostgreSQL comes with what tests need.
.venv/bench.stamp: requirements/bench.txt .venv/dev.stamp
	@echo 'Adding what benchmarks need ...' >&2
	@$(LOCKED) -r requirements/bench.txt >&2
	@$(COMPILED)
	@touch $@

# Every target makes the environment first if it is not there.
PYTHON ?= python3
BIN := .venv/bin
LABS := $(notdir $(patsubst %/dvc.yaml,%,$(wildcard studies/*/dvc.yaml)))
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
# Images for containers often set it; every process would then compile the sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help env repro study studies test test-slow check format verify reproducible bench ui clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*##/:/' | column -t -s :

env: .venv/.complete  ## make .venv from requirements.lock and, for tests and checks, requirements-dev.lock

# torch goes first: on a machine without a GPU build of it, the rest would otherwise pull one.
.venv/.complete: requirements.lock requirements-dev.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $$(grep '^torch==' requirements.lock)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/plumbline vega
	touch $@

repro: env  ## run the pipeline: data, models, metrics, audits, cards, report
	@plumbline repro

study: env  ## run one laboratory on the models of the default pipeline, as in make study LAB=fairness
	@test -f "studies/$(LAB)/dvc.yaml" || { echo "make study: LAB must be one of $(LABS), got '$(LAB)'" >&2; exit 2; }
	@plumbline repro studies/$(LAB)/dvc.yaml

studies: env  ## run all laboratories
	@plumbline repro $(wildcard studies/*/dvc.yaml)

# One process per processor; each takes a gigabyte. From Python 3.12 on, coverage costs next to nothing.
WORKERS ?= logical
CORE = $$(python -c "import sys; print('sysmon' if sys.version_info >= (3, 12) else 'ctrace')")
test: env  ## run the fast tests on all processors (coverage of src must reach 90 %)
	COVERAGE_CORE=$(CORE) pytest -m "not slow and not browser" -n $(WORKERS) --maxprocesses=8 --dist worksteal --durations=10 \
	  --cov --cov-report=term:skip-covered --cov-fail-under=90

TESTS ?= tests
test-slow: env  ## run the long tests, and those that drive a browser if there is one
	pytest -m "slow or browser" --durations=25 $(TESTS)

check: env  ## format, lint, types, import rules
	ruff format --check .
	ruff check .
	mypy
	lint-imports

format: env  ## format the sources
	ruff format .
	ruff check --fix .

verify: env  ## re-run everything in a clean clone and compare every output with dvc.lock
	plumbline verify

reproducible: env  ## run two clean clones on reduced parameters and compare their locks
	plumbline verify --clones 2 $(addprefix --params ,tests/reduced.yaml $(wildcard studies/*/quick.yaml))

# On top of .venv: the packages compared come without their dependencies, which pin other versions.
.venv-peers/.complete: benchmarks/peers.txt .venv/.complete
	$(BIN)/python -m venv .venv-peers
	$(BIN)/python -c "import sysconfig; print(f'import site; site.addsitedir({sysconfig.get_path(\"purelib\")!r})')" \
	  >$$(.venv-peers/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/plumbline.pth
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement benchmarks/peers.txt
	touch $@

bench: .venv-peers/.complete  ## measure speed against other packages and write benchmarks/RESULTS.md
	.venv-peers/bin/python benchmarks/run.py

ui: env  ## open the MLflow UI on the default store
	plumbline ui

clean:  ## remove data, models and caches (not .venv, reports, run records or the MLflow store)
	rm -rf data .plumbline/work .dvc/cache .dvc/tmp build htmlcov .coverage .coverage.*
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

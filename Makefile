# Nine verbs; `make` alone lists them.
# Each sets up what it needs by itself: Python 3.11 or newer with its venv module, and a package index, are enough.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint bench docs native lab-up test-real lab-down
MAKEFLAGS += --no-builtin-rules --no-print-directory

PY := .venv/bin/python
READY := .venv/.ready
NATIVE := $(wildcard $(addprefix packages/multistore_digest/,setup.py pyproject.toml csrc/*.[ch] csrc/made/*.[ch]))
IMAGE ?=
export IMAGE
unexport PYTHONPATH PYTHONHOME

# Two runs side by side must not clean up each other's directories.
OWN_TMP := place=$$(mktemp -d) && export PYTEST_DEBUG_TEMPROOT="$$place" && trap 'rm -rf "$$place"' EXIT && trap 'exit 130' INT TERM;

# An environment remembers where it was made: a moved or copied tree gets its own.
ifneq ($(wildcard $(READY)),)
ifneq ($(shell cat $(READY)),$(CURDIR))
$(shell rm -f $(READY))
endif
endif

help:
	@echo "usage: make VERB"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1 \2/p' Makefile | while read -r verb text; do printf '  %-10s %s\n' "$$verb" "$$text"; done

$(READY): requirements/dev.txt packages/multistore/pyproject.toml packages/glance_store/pyproject.toml $(NATIVE)
	@sh tools/setup.sh

demo: $(READY) ## put an image into two stores, damage it, find it, repair it; IMAGE=path takes your own
	@$(PY) tools/demo.py

test: $(READY) ## everything that needs no root and no service, with the coverage of the core
	@$(PY) -m multistore_digest
	@$(PY) -m coverage erase
	@$(OWN_TMP) $(PY) -m coverage run -m pytest tests -m "not real" --numprocesses auto --dist worksteal
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report --fail-under 95

lint: $(READY) ## style, types, layers, and what else can be told without running
	@status=0; \
	$(PY) -m ruff check . || status=1; \
	$(PY) -m ruff format --check . || status=1; \
	$(PY) -m mypy || status=1; \
	.venv/bin/lint-imports || status=1; \
	$(PY) -m pytest tests/unit/test_repository.py --quiet || status=1; \
	exit $$status

bench: $(READY) ## the figures of docs/performance.md, measured on this machine
	@$(PY) bench/run.py

docs: $(READY) ## the manual, into docs/_build/html
	@$(PY) -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "the manual is in docs/_build/html/index.html"

native: $(READY) ## compile the kernels of multistore-digest into .venv; set-up does so too where it finds a compiler
	@MULTISTORE_DIGEST_REQUIRED=1 $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --editable packages/multistore_digest
	@$(PY) -m multistore_digest

lab-up: $(READY) ## (root) install and start the real services that test-real talks to
	@bash lab/up.sh

test-real: $(READY) ## (root) the tests on real file systems and services; after lab-up
	@test -r lab/.data/env || { echo "the lab is not up: 'make lab-up' first, as root" >&2; exit 1; }
	@$(OWN_TMP) set -a; . lab/.data/env; set +a; status=0; \
	$(PY) -m pytest tests/real tests/planted -m "real and not alone" --numprocesses 4 --dist loadscope || status=1; \
	$(PY) -m pytest tests/real -m "real and alone" || status=1; \
	exit $$status

lab-down: ## (root) stop the services of lab-up and remove their data
	@bash lab/down.sh

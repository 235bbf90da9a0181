# make demo   sets everything up and runs the main job on real input
# make test   sets everything up and runs the whole test suite
#
# Everything is installed into .venv in this folder; `make clean` removes it. PYTHON=/path/to/python3 chooses the
# interpreter, ARGUMENTS="-k name" are handed to pytest.

ENVIRONMENT := .venv
BIN := $(ENVIRONMENT)/bin
STAMP := $(ENVIRONMENT)/installed

.DEFAULT_GOAL := help
.PHONY: help venv demo test lint types architecture benchmark clean

help:
	@sed -n 's/^# //p' Makefile | head -n 2
	@echo 'further targets: venv lint types architecture benchmark clean'

venv: $(STAMP)

# An interpreter counts when it starts (a pyenv shim may exist and fail), is new enough, and can make a virtual
# environment (Debian ships ensurepip apart, in python3-venv).
$(STAMP): pyproject.toml constraints.txt
	@set -e; chosen=; \
	for candidate in "$(PYTHON)" python3.13 python3.12 python3.11 python3 python; do \
	  test -n "$$candidate" || continue; \
	  if "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    chosen=$$candidate; break; \
	  fi; \
	done; \
	if test -z "$$chosen"; then \
	  echo 'No Python 3.11 or newer with the module venv was found.' >&2; \
	  echo 'Debian, Ubuntu: apt-get install python3-venv    macOS: brew install python' >&2; \
	  echo 'or name an interpreter: make $(MAKECMDGOALS) PYTHON=/path/to/python3' >&2; \
	  exit 1; \
	fi; \
	echo "Setting up $(ENVIRONMENT) with $$chosen (once, a minute or two) ..."; \
	"$$chosen" -m venv --clear $(ENVIRONMENT); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[development]'; \
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/python examples/spinodal_decomposition.py

test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile $(ARGUMENTS)

lint: $(STAMP)
	$(BIN)/ruff check src tests examples benchmarks

types: $(STAMP)
	$(BIN)/mypy

architecture: $(STAMP)
	$(BIN)/lint-imports

benchmark: $(STAMP)
	$(BIN)/python -m benchmarks $(ARGUMENTS)

clean:
	rm -rf $(ENVIRONMENT) build src/*.egg-info demo-results .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

# People and CI run the same commands. `make` alone prints the list.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
READY := .venv/.ready
PYTEST_ARGS ?=
BENCH_ARGS ?=
FAULTS_ARGS ?=
PROOFS_ARGS ?=
DEMO_ARGS ?=
M ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1

.PHONY: help demo test check fix test-one bench proofs faults picture serve

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '%-9s %s\n' "$$name" "$$text"; done

demo: $(READY) ## The whole thing on this machine: simulated provider, gateway, users, a live edit, a broken file.
	@$(BIN)/sluice demo $(DEMO_ARGS)

test: check ## Everything that must pass, from a fresh checkout, and what CI runs: check, then the tests.
	@bash .ci/tests $(PYTEST_ARGS)

check: $(READY) ## Lint, types, floors, house tests.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m pytest -q tests/test_house.py

fix: $(READY) ## Format, and mend what can be mended.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-one: $(READY) ## One module by its own tests alone: make test-one M=stats/srm
	@test -n "$(M)" || { echo "say which: make test-one M=assign/bucketing" >&2; exit 2; }
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests/$(dir $(M))test_$(notdir $(M)).py

bench: $(READY) ## Cost per request and per chunk, next to nginx in the same run.
	$(BIN)/python -m bench $(BENCH_ARGS)

proofs: $(READY) ## The long simulations and state machines; results, dated, in docs/.
	$(BIN)/python -m bench.proofs --write $(PROOFS_ARGS)
	$(BIN)/python -m pytest -m slow --timeout 3600 $(PYTEST_ARGS)

faults: $(READY) ## The long fault programme; results, dated, in docs/.
	$(BIN)/python -m bench.faults --write $(FAULTS_ARGS)

picture: $(READY) ## Redraw docs/architecture.md's figures from the code.
	$(BIN)/python -m docs.picture

serve: $(READY) ## A gateway on :8080 with a simulated provider behind it.
	@$(BIN)/sluice provider & provider=$$!; trap 'kill $$provider 2>/dev/null || true' EXIT; \
	  $(BIN)/sluice serve --dev --config configs/demo.yaml

# The interpreter is looked for only here, so that an existing .venv needs no python3 on the PATH.
$(READY): pyproject.toml requirements.lock .ci/python
	@if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  python=$$(bash .ci/python); echo "creating .venv with $$python"; "$$python" -m venv --clear .venv; fi
	@echo "installing what requirements.lock names"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

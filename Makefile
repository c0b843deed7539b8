# SPDX-License-Identifier: Apache-2.0
# The task front of the house. A target with `##` after it is for people and shows in `make help`; the others serve them.

PYTHON ?= python3
# More words for `trunkline serve` and for pytest: make run ARGS="--http 127.0.0.1:9000", make test ARGS="-k sse"
ARGS ?=

VENV := .venv
GENERATE_VENV := .venv-generate
FLOOR_VENV := .venv-floor
LITELLM_VENV := .venv-litellm
BIN := $(VENV)/bin
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-input
NODE_MODULES := tests/conformance/node_modules/.package-lock.json
PEER_MODULES := bench/peers/node_modules/.package-lock.json
# How long `make soak` runs.
MINUTES ?= 20

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/.run-installed ## serve HTTP on 127.0.0.1:8080 and gRPC on 127.0.0.1:50051 (ARGS="..." adds options)
	$(BIN)/trunkline serve $(ARGS)

.PHONY: test
test: $(VENV)/.test-installed ## the quick tests (ARGS="..." for pytest)
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

.PHONY: test-all
test-all: $(VENV)/.test-installed $(VENV)/.bench-installed client-floor conformance-node guard ## every test, with outside programs and benchmarks, and the guard
	$(BIN)/python -m pytest --benchmark-enable $(ARGS)

.PHONY: bench
bench: $(VENV)/.bench-installed bench-programs ## measure Trunkline beside proxies and other gateways, those that are here (10 minutes)
	$(BIN)/python -m bench.run --plan full --peers $(ARGS)

.PHONY: bench-quick
bench-quick: $(VENV)/.bench-installed bench-programs ## the same in 90 seconds, beside nginx, Envoy and a bare gRPC proxy
	$(BIN)/python -m bench.run --plan quick $(ARGS)

.PHONY: profile
profile: $(VENV)/.bench-installed bench-programs ## draw flame graphs of the gateway under load into build/profiles (1 minute)
	$(BIN)/python -m bench.profile $(ARGS)

.PHONY: memory
memory: $(VENV)/.bench-installed bench-programs ## measure memory: 10,000 streams, idle streams, slow readers, large messages
	$(BIN)/python -m bench.memory $(ARGS)

.PHONY: soak
soak: $(VENV)/.bench-installed bench-programs ## half load for MINUTES, and the slope of memory (make soak MINUTES=60)
	$(BIN)/python -m bench.soak --minutes $(MINUTES) $(ARGS)

.PHONY: outage
outage: $(VENV)/.run-installed ## kill one of three providers in each of three ways under 10,000 calls, and look whether callers notice (3 minutes)
	$(BIN)/python -m bench.outage $(ARGS)

.PHONY: bench-peers
bench-peers: $(LITELLM_VENV)/.installed ## install other gateways for `make bench` to measure: LiteLLM (800 MB), Portkey (npm), Bifrost's core (Go)
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(PEER_MODULES); else echo "npm is not on this machine: Portkey is left out"; fi
	@if command -v go >/dev/null; then $(MAKE) --no-print-directory build/bench/bifrost; else echo "go is not on this machine: Bifrost is left out"; fi

.PHONY: guard
guard: $(VENV)/.run-installed ## fail where a call costs 15 % more instructions than bench/guard/baseline.json says (valgrind)
	$(BIN)/python -m bench.guard

.PHONY: guard-update
guard-update: $(VENV)/.run-installed ## write that baseline anew; the commit's body says why
	$(BIN)/python -m bench.guard --update

.PHONY: check
check: $(VENV)/.test-installed $(GENERATE_VENV)/.installed ## format, lint, types, dependency rule, contract, generated code, locks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(GENERATE_VENV)/bin/python tools/generate.py --check
	$(GENERATE_VENV)/bin/python tools/prices.py --check
	$(GENERATE_VENV)/bin/python tools/models.py --check
	$(BIN)/python tools/openapi.py --check
	$(BIN)/buf lint
	$(BIN)/buf format proto --diff --exit-code
	$(BIN)/python tools/check_locks.py

.PHONY: fix
fix: $(VENV)/.test-installed $(GENERATE_VENV)/.installed ## put right what ruff and buf can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(GENERATE_VENV)/bin/python tools/generate.py --imports-only
	$(BIN)/buf format proto --write

.PHONY: generate
generate: $(GENERATE_VENV)/.installed $(VENV)/.run-installed ## make the Python code, the descriptor set and the OpenAPI document from proto/, and today's price lists and models
	$(GENERATE_VENV)/bin/python tools/generate.py
	$(GENERATE_VENV)/bin/python tools/prices.py
	$(GENERATE_VENV)/bin/python tools/models.py
	$(BIN)/python tools/openapi.py

.PHONY: fuzz
fuzz: $(VENV)/.test-installed ## fuzz each target of tests/fuzz for a minute (Linux)
	for target in json message events answer; do \
	  PYTHONPATH=clients/python:server $(BIN)/python tests/fuzz/target.py $$target -max_total_time=60 -timeout=1 -artifact_prefix=build/; \
	done

.PHONY: golden
golden: $(VENV)/.test-installed ## write tests/golden anew from what the code answers now; read the diff before committing it
	$(BIN)/python -m pytest --update-golden $(ARGS)

.PHONY: lock
lock: $(GENERATE_VENV)/.installed ## make requirements/*.txt anew (ARGS=--upgrade for newer versions)
	$(GENERATE_VENV)/bin/python tools/lock.py $(ARGS)

.PHONY: wheel
wheel: $(VENV)/.test-installed ## build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

.PHONY: clean
clean: ## remove environments, caches and built files
	rm -rf $(VENV) $(GENERATE_VENV) $(FLOOR_VENV) $(LITELLM_VENV) bench/peers/node_modules build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# ---- what the targets above need ----

# $(call make-venv,FOLDER,LOCK)
define make-venv
$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Trunkline needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
$(PYTHON) -m venv $(1)
$(1)/bin/python $(PIP_INSTALL) --require-hashes -r $(2)
endef

# Everything is installed with a hash; the project itself is installed in place, by the locked build backend.
$(VENV)/.run-installed: requirements/run.txt pyproject.toml
	$(call make-venv,$(VENV),$<)
	$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test-installed: requirements/test.txt $(VENV)/.run-installed
	$(BIN)/python $(PIP_INSTALL) --require-hashes -r requirements/test.txt
	@touch $@

$(VENV)/.bench-installed: requirements/bench.txt $(VENV)/.run-installed
	$(BIN)/python $(PIP_INSTALL) --require-hashes -r requirements/bench.txt
	@touch $@

# The fake provider and the load generator for streams, in C.
.PHONY: bench-programs
bench-programs:
	@$(MAKE) --no-print-directory --silent -C bench

$(GENERATE_VENV)/.installed: requirements/generate.txt
	$(call make-venv,$(GENERATE_VENV),$<)
	@touch $@

$(FLOOR_VENV)/.installed: requirements/floor.txt
	$(call make-venv,$(FLOOR_VENV),$<)
	@touch $@

$(LITELLM_VENV)/.installed: requirements/peers-litellm.txt
	$(call make-venv,$(LITELLM_VENV),$<)
	@touch $@

$(PEER_MODULES): bench/peers/package-lock.json bench/peers/.npmrc
	cd bench/peers && npm ci --ignore-scripts --no-progress
	@touch $@

build/bench/bifrost: bench/peers/bifrost/go.mod bench/peers/bifrost/go.sum bench/peers/bifrost/main.go
	mkdir -p build/bench
	cd bench/peers/bifrost && go build -o ../../../build/bench/bifrost .

# The client at the lowest versions it allows, warnings as errors; the tests have it at the highest.
.PHONY: client-floor
client-floor: $(FLOOR_VENV)/.installed
	PYTHONPATH=clients/python $(FLOOR_VENV)/bin/python -W error tools/import_client.py

.PHONY: conformance-node
conformance-node:
	@if ! command -v npm >/dev/null; then \
	  echo "npm is not on this machine: tests against the Node programs of tests/conformance are skipped"; \
	  test "$${REQUIRE_TOOLCHAINS:-}" != 1; \
	else $(MAKE) --no-print-directory $(NODE_MODULES); fi

$(NODE_MODULES): tests/conformance/package-lock.json tests/conformance/.npmrc
	cd tests/conformance && npm ci --ignore-scripts --no-progress
	@touch $@

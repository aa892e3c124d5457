# Petit Bleu.  `make` lists the targets; `make run` and `make test` set up all they need.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help run test check format lint types cover bench fuzz simulate soak interop interop-ceph captures config wheel clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed (set PYTHON=…)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

run: $(STAMP)  ## start the demo server on loopback, with sample mail
	$(BIN)/petitbleu demo --dir .demo --http 127.0.0.1:8080 --https 127.0.0.1:8443 --lmtp 127.0.0.1:2424

test: $(STAMP)  ## run the tests (no root, no service needed)
	$(BIN)/python -m pytest -q -m 'not interop' -n 2

check: $(STAMP) format lint types test  ## what CI runs: format, lint, types, tests

format: $(STAMP)
	$(BIN)/ruff format --check .

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

bench: $(STAMP)  ## measure; exits non-zero past a budget
	$(BIN)/python -m tests.bench

fuzz: $(STAMP)  ## run every fuzz target for a while (SECONDS=n each)
	$(BIN)/python -m tests.fuzz $(if $(SECONDS),--seconds $(SECONDS))

simulate: $(STAMP)  ## random histories of everything (SEED=n replays one; RUNS=n goes on where it was; STEPS, PROCESSES)
	$(BIN)/python -m tests.simulation

soak: $(STAMP)  ## processes killed under mail and phones (ENGINE=cas|nocas|rgw|local, ARGS="--mails n --kills n"; root, Postfix)
	$(BIN)/python -m tests.soak $(if $(ENGINE),--engine $(ENGINE)) $(ARGS)

interop: $(STAMP)  ## against Postfix, nginx, libwbxml, object stores and foreign clients (needs them installed)
	$(BIN)/python -m pytest -q -m 'interop and not ceph'

interop-ceph: $(STAMP)  ## the store's tests on Ceph (needs radosgw, ceph-mon, ceph-osd, ceph-common)
	$(BIN)/python -m pytest -q -m ceph

captures: $(STAMP)  ## replay the captures
	$(BIN)/python -m pytest -q tests/replay

config: $(STAMP)  ## write deploy/config.example.toml from the settings
	$(BIN)/python -m eas init --print-config > deploy/config.example.toml

wheel: $(STAMP)  ## build the wheel and test it installed apart
	$(BIN)/python -m tests.wheel

clean:  ## remove what was made here
	rm -rf $(VENV) .demo dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .simulation

# make fuzz SECONDS=3600: hostile inputs for an hour.
# make demo: environment, install, main job.   make test: environment, install, tests.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
EXTRAS := simulators,metaworld,transformers,convert,ray,tensorboard,dev
# They pin or ask for packages that no task of ours uses and that keep numpy below 2: pyproject.toml, extra `simulators`.
ALONE  := robosuite gym-aloha dm_control

.PHONY: demo test test-quick test-slow fuzz lint lock gl clean

demo: gl $(VENV)/.installed-demo
	$(BIN)/zoo suite run phase2-demo

test: test-quick

test-quick: gl $(VENV)/.installed-test
	$(BIN)/python -m pytest

test-slow: gl $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

SECONDS ?= 60

fuzz: $(VENV)/.installed-test
	$(BIN)/python tests/fuzz/run.py $(SECONDS)

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The versions of constraints.txt for users of uv.
lock:
	uv lock $$(sed '/^#/d; s/^/--upgrade-package /' constraints.txt)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || { \
		echo "trunkzoo runs on Python 3.11, 3.12 and 3.13, $(PYTHON) is $$($(PYTHON) -V 2>&1); try: make $(MAKECMDGOALS) PYTHON=python3.12"; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing trunkzoo with the robosuite task into $(VENV) (a few minutes the first time)"
	$(PIP) --editable '.[simulators]'
	$(PIP) --no-deps robosuite
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing trunkzoo with all extras that the tests use into $(VENV) (a few minutes the first time)"
	$(PIP) --editable '.[$(EXTRAS)]'
	$(PIP) --no-deps $(ALONE)
	@touch $@ $(VENV)/.installed-demo

# MuJoCo renders through the system's libEGL or libOSMesa; install one where we may, else `zoo doctor` says the line.
gl: | $(BIN)/python
	@ldconfig -p 2>/dev/null | grep -qE 'libEGL\.so\.1|libOSMesa\.so' || { \
		command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends libegl1 libgl1; } || \
		echo "No libEGL or libOSMesa here: install one (Debian: apt-get install libegl1 libgl1), then run 'zoo doctor'"

clean:
	rm -rf $(VENV) runs data build dist

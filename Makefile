# make fuzz SECONDS=3600: hostile inputs for an hour.
# make docs: the site.   make demo: environment, install, main job.   make test: environment, install, tests.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
EXTRAS := simulators,metaworld,transformers,convert,ray,slurm,tensorboard,onnx,hub,serve,docs,dev
# They pin or ask for packages that no task of ours uses and that keep numpy below 2: pyproject.toml, extra `simulators`.
ALONE  := robosuite gym-aloha dm_control

.PHONY: demo cluster test test-quick test-slow test-cluster test-cuda test-lerobot test-timm fuzz lint docs lock gl clean

demo: gl $(VENV)/.installed-demo
	$(BIN)/zoo suite run phase2-demo

# What nodes of a cluster need; the Dockerfile's one step.
cluster: gl $(VENV)/.installed-cluster

test: test-quick

test-quick: gl $(VENV)/.installed-test
	$(BIN)/python -m pytest

test-slow: gl $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

# A SLURM of one node, and two hosts as network namespaces: as root, which also may install what is missing.
test-cluster: $(VENV)/.installed-test
	@command -v slurmctld slurmd munged ip >/dev/null || { \
		command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get -qq update && \
		DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends slurm-wlm munge iproute2; } || \
		echo "No SLURM here, and no right to install it (Debian: apt-get install slurm-wlm munge iproute2): tests are skipped"
	$(BIN)/python -m pytest -m cluster tests/suites tests/training

# On a machine with a GPU. `python benchmarks/gpu.py -o DIR` does it too, then measures, in ten minutes.
test-cuda: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m cuda

# lerobot needs Python 3.12 and other versions than constraints.txt: an environment of its own, several gigabytes.
LEROBOT_VENV   ?= .venv-lerobot
LEROBOT_PYTHON ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.12.*/bin/python) $(shell command -v python3.12))
LEROBOT_NEEDS  := 'lerobot[training,evaluation,diffusion]==0.6.1' pytest pytest-timeout hatchling editables
# uv does in two minutes what takes pip ten; where it cannot (a registry that only pip is told of), pip does it.
LEROBOT_PIP     = $(LEROBOT_VENV)/bin/uv pip install --quiet --python $(LEROBOT_VENV)/bin/python $(1) \
	|| $(LEROBOT_VENV)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check $(1)

test-lerobot: $(LEROBOT_VENV)/.installed
	$(LEROBOT_VENV)/bin/python -m pytest tests/integrations -m ""

$(LEROBOT_VENV)/.installed: pyproject.toml $(wildcard integrations/*/pyproject.toml)
	@test -n "$(LEROBOT_PYTHON)" && $(LEROBOT_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || { \
		echo "lerobot needs Python 3.12 or newer, found: $(or $(LEROBOT_PYTHON),none); try: make test-lerobot LEROBOT_PYTHON=PATH"; exit 1; }
	$(LEROBOT_PYTHON) -m venv $(LEROBOT_VENV)
	@echo "Installing lerobot into $(LEROBOT_VENV) (several minutes and gigabytes the first time)"
	$(LEROBOT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(call LEROBOT_PIP,$(LEROBOT_NEEDS))
	$(call LEROBOT_PIP,--editable .)
	$(call LEROBOT_PIP,--no-deps --no-build-isolation --editable integrations/lerobot_policy_trunkzoo --editable integrations/lerobot_env_trunkzoo)
	$(call LEROBOT_PIP,--no-deps --no-build-isolation ./tests/thirdparty)
	@touch $@

# timm imports torchvision, which goes with another torch than constraints.txt has: again an environment of its own.
TIMM_VENV ?= .venv-timm
TIMM_PIP  := $(TIMM_VENV)/bin/python -m pip install --quiet --no-compile --disable-pip-version-check

test-timm: $(TIMM_VENV)/.installed
	$(TIMM_VENV)/bin/python -m pytest tests/plugins -m "" -k 'timm or weights_by_name or origins'

$(TIMM_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(TIMM_VENV)
	@echo "Installing timm with torchvision into $(TIMM_VENV) (several minutes and gigabytes the first time)"
	$(TIMM_PIP) torch==2.14.1 torchvision==0.29.1
	$(TIMM_PIP) --editable '.[timm,transformers,onnx,dev]'
	@touch $@

SECONDS ?= 60

fuzz: $(VENV)/.installed-fuzz
	$(BIN)/python tests/fuzz/run.py $(SECONDS)

# atheris has wheels for Linux alone; elsewhere hypothesis fuzzes without it.
$(VENV)/.installed-fuzz: $(VENV)/.installed-test
	@$(PIP) --only-binary :all: atheris || echo "No atheris for this machine: inputs are not guided by coverage"
	@touch $@

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The versions of constraints.txt for users of uv. The extra lerobot, which holds some of them lower, is solved for afterwards.
lock:
	mkdir -p build/lock && sed '/^lerobot = /d; /^conflicts = /d' pyproject.toml >build/lock/pyproject.toml && cp uv.lock build/lock
	uv lock --project build/lock $$(sed "/^#/d; /python_version </d; s/;.*//; s/^/--upgrade-package /" constraints.txt)
	cp build/lock/uv.lock . && uv lock

# The site, in build/site; `python -m http.server -d build/site` serves it, with its search.
docs: $(VENV)/.installed-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

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

$(VENV)/.installed-cluster: $(VENV)/.installed-demo
	$(PIP) --editable '.[ray,slurm]'
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
	rm -rf $(VENV) $(LEROBOT_VENV) $(TIMM_VENV) runs data build dist

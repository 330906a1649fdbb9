# make fuzz SECONDS=3600: hostile inputs for an hour.
# make docs: the site.   make demo: environment, install, main job.   make test: environment, install, tests.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
EXTRAS := robosuite,metaworld,aloha,transformers,convert,ray,tensorboard,onnx,docs,dev

.PHONY: demo test test-quick test-slow fuzz lint docs gl clean

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

# The site, in build/site; `python -m http.server -d build/site` serves it, with its search.
docs: $(VENV)/.installed-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "trunkzoo needs Python 3.11 or newer, $(PYTHON) is older; try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing trunkzoo with the robosuite task into $(VENV) (a few minutes the first time)"
	$(PIP) --editable '.[robosuite]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing trunkzoo with all extras that the tests use into $(VENV) (a few minutes the first time)"
	$(PIP) --editable '.[$(EXTRAS)]'
	@touch $@ $(VENV)/.installed-demo

# MuJoCo renders through the system's libEGL or libOSMesa; install one where we may, else `zoo doctor` says the line.
gl:
	@ldconfig -p 2>/dev/null | grep -qE 'libEGL\.so\.1|libOSMesa\.so' || { \
		command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		apt-get -qq update && apt-get -qq install -y --no-install-recommends libegl1 libgl1; } || \
		echo "No libEGL or libOSMesa here: install one (Debian: apt-get install libegl1 libgl1), then run 'zoo doctor'"

clean:
	rm -rf $(VENV) runs data build dist

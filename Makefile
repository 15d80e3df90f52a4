# The environment lives in .venv; every target makes it first if it is missing or out of date.
PYTHON     ?= python3.11
VENV       := .venv
BIN        := $(VENV)/bin
STAMP      := $(VENV)/.installed
OUT        ?= exports
MODELS     ?= models/mlp models/image_classifier models/text_classifier
IMAGE_SIZE ?=
DATA       ?=
# PyTorch and TensorFlow in one process cost memory and share thread pools: their tests run apart.
TF_TESTS := $(wildcard tests/integration/test_tf_*.py tests/integration/test_keras_*.py tests/attacks/test_tf_*.py tests/docs/test_tf_*.py)
TORCH_TESTS := $(wildcard tests/integration/test_torch_*.py tests/repos/test_*.py tests/docs/test_torch_*.py)
TORCH_TESTS += $(filter-out $(TF_TESTS),$(wildcard tests/attacks/test_*.py))
CONFORMANCE_FLAGS = $(if $(FILTER),--filter "$(FILTER)") $(if $(JOBS),--jobs $(JOBS)) $(if $(LIST),--list) $(if $(UPDATE),--update)
ZOO_FLAGS = $(if $(FILTER),--filter "$(FILTER)") $(if $(FORCE),--again everything) $(if $(RETRY),--again failed) $(if $(JOBS),--jobs $(JOBS)) $(if $(SPEED),--speed) $(if $(LIST),--list)
EXPORT_FLAGS = $(if $(IMAGE_SIZE),-p image_size=$(IMAGE_SIZE)) $(if $(DATA),--data $(DATA)) --out $(OUT)

.DEFAULT_GOAL := help
.PHONY: help install export train verify self-test bench edge compare report report-picture test test-fast test-formats test-torch test-tensorflow conformance figures calibration trials reliability growth fresh zoo docs lint format clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make the environment in .venv with the versions of constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || { echo "Making the environment in $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing the frameworks and tools of constraints.txt (one to three minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[all]" --group dev --group docs
	@$(BIN)/python -m pip check
	@touch $@

export: $(STAMP) ## Train, export, prove and measure the reference models, then write the report (IMAGE_SIZE=224, DATA=DIR)
	$(BIN)/isoform export $(MODELS) $(EXPORT_FLAGS)
	$(BIN)/isoform bench $(OUT) --quick
	$(BIN)/isoform report $(OUT)

train: $(STAMP) ## Train the reference models only
	$(BIN)/isoform train $(MODELS) $(EXPORT_FLAGS)

verify: $(STAMP) ## Prove every exported artifact again
	$(BIN)/isoform verify $(OUT)

self-test: $(STAMP) ## Plant faults in copies of every exported artifact: does a verification catch them?
	$(BIN)/isoform verify $(OUT) --self-test

bench: $(STAMP) ## Measure every exported artifact with the full protocol, and write docs/results.md
	$(BIN)/isoform bench $(OUT)
	cd tests && PYTHONPATH=. ../$(BIN)/python -m results reference $(abspath $(OUT))

edge: $(STAMP) ## Export the reference models for phones and boards, prove and time them, and write docs/results.md
	cd tests && PYTHONPATH=. ../$(BIN)/python -m results edge $(abspath $(OUT))

compare: $(STAMP) ## Measure PyTorch against TensorFlow on the exported reference models, and write docs/frameworks.md
	$(BIN)/isoform compare $(MODELS) --out $(OUT) --markdown docs/frameworks.md

report: $(STAMP) ## Write exports/report.html from the records on disk
	$(BIN)/isoform report $(OUT)

report-picture: $(STAMP) ## Take the picture of the report that the documentation shows (needs Chromium)
	cd tests && PYTHONPATH=. ../$(BIN)/python -m figures.picture $(abspath $(OUT))/report.html ../docs/report.png

test: $(STAMP) ## Run every test: the fast ones first, then the others, a group for each framework, two at a time
	$(BIN)/python -m pytest tests/unit tests/cli tests/test_architecture.py
	@$(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target test-torch test-formats test-tensorflow

test-fast: $(STAMP) ## Run the tests that need no framework
	$(BIN)/python -m pytest tests/unit tests/cli tests/test_architecture.py

test-formats: $(STAMP) ## Run the tests of converters, LiteRT and ONNX Runtime
	$(BIN)/python -m pytest tests/contract $(filter-out $(TORCH_TESTS) $(TF_TESTS),$(wildcard tests/integration/test_*.py tests/docs/test_*.py))

test-torch: $(STAMP) ## Run the tests of PyTorch, of attacks and of users' repositories
	$(BIN)/python -m pytest $(TORCH_TESTS)

test-tensorflow: $(STAMP) ## Run the tests of TensorFlow and Keras
	$(BIN)/python -m pytest $(TF_TESTS)

conformance: $(STAMP) ## Run ONNX' backend tests through every emitter (TARGETS=torch FILTER=attention LIST=1 UPDATE=1)
	cd tests && PYTHONPATH=. ../$(BIN)/python -m conformance $(TARGETS) $(CONFORMANCE_FLAGS)

figures: $(STAMP) ## Measure conversions and what comes out of them, and write docs/figures.md (SECTIONS=applications)
	@$(BIN)/python -c "import timm" 2>/dev/null || $(BIN)/python -m pip install --quiet --constraint constraints.txt --group zoo
	cd tests && OUT=$(abspath $(OUT)) PYTHONPATH=. ../$(BIN)/python -m figures $(SECTIONS)

calibration: $(STAMP) ## Count false alarms and misses of the gates, and write docs/calibration.md (FILTER=bert FORCE=1)
	@$(BIN)/python -c "import importlib.util as i, sys; sys.exit(not all(map(i.find_spec, ('timm', 'transformers'))))" \
		|| $(BIN)/python -m pip install --quiet --constraint constraints.txt --group zoo
	cd tests && PYTHONPATH=.:$(PYTHONPATH) ../$(BIN)/python -m calibration --exports $(abspath $(OUT)) $(if $(FILTER),--filter "$(FILTER)") $(if $(FORCE),--force)

reliability: $(STAMP) ## Kill batches, flip bits and fill disks, and write docs/reliability.md (KILLS=100)
	cd tests && PYTHONPATH=. ../$(BIN)/python -m reliability $(if $(KILLS),--kills $(KILLS))

trials: $(STAMP) ## Count how often a comparison of times is right, and write docs/trials.md (COUNT=40 FORCE=1)
	cd tests && PYTHONPATH=. ../$(BIN)/python -m trials $(if $(COUNT),--count $(COUNT)) $(if $(FORCE),--force)

growth: $(STAMP) ## Convert many small models in threads and on workers, and write docs/scale.md (COUNT=1000)
	cd tests && PYTHONPATH=. ../$(BIN)/python -m growth $(if $(COUNT),--count $(COUNT))

fresh: $(STAMP) ## Install isoform with one framework, or one runtime alone, each in a temporary environment, and try it (EXTRAS=torch)
	cd tests && PYTHONPATH=. ../$(BIN)/python -m fresh $(EXTRAS)

zoo: $(STAMP) ## Convert public architectures to every format, and write docs/zoo.md (TARGETS=tflite FILTER=bert FORCE=1 RETRY=1 SPEED=1)
	@$(BIN)/python -c "import importlib.util as i, sys; sys.exit(not all(map(i.find_spec, ('timm', 'transformers', 'diffusers'))))" \
		|| $(BIN)/python -m pip install --quiet --constraint constraints.txt --group zoo
	cd tests && PYTHONPATH=.:$(PYTHONPATH) ../$(BIN)/python -m zoo $(TARGETS) $(ZOO_FLAGS)

docs: $(STAMP) ## Build the documentation into site/, strictly (SERVE=1 serves it and follows changes)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs $(if $(SERVE),serve,build --quiet) --strict

lint: $(STAMP) ## Check style, types and who imports whom
	$(BIN)/ruff check pipeline models tests docs
	$(BIN)/ruff format --check pipeline models tests docs
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Format the code
	$(BIN)/ruff format pipeline models tests docs
	$(BIN)/ruff check --fix pipeline models tests docs

clean: ## Remove the environment, the site and caches; exports stay
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

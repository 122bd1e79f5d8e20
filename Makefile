# Every target builds what it needs. `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PROFILE ?= release
BIN := target/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/weft
WEB := clients/web
WEB_SOURCES := $(shell find $(WEB)/src $(WEB)/index.html $(WEB)/vite.config.ts $(WEB)/package-lock.json -type f 2>/dev/null)
CORPUS_TOOLS ?= ../shared/corpus/tools

.PHONY: help up build web test test-rust test-web test-system lint fmt ci bench bench-edge bench-load fuzz clean

help: ## Say what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: build ## Build Weft, run it here, and show this machine (Ctrl-C ends it)
	@exec $(BIN) up --data-dir weft-data $(ARGS)

build: web ## Build the binary with the web UI in it
	@echo "building the binary (the first time takes some minutes)"
	@cargo build --profile $(PROFILE) -p weft --bin weft

web: $(WEB)/dist/index.html ## Build the web UI

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	@echo "installing the web UI's packages"
	@cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(WEB_SOURCES)
	@echo "building the web UI"
	@cd $(WEB) && npm run --silent build
	@touch $@

test: ## Run every test; installs what is missing (needs root or sudo for that)
	@.ci/test

test-rust: web ## Run the tests of the crates and of the running system
	@cargo build -p weft --bin weft
	@cargo test --workspace

test-web: $(WEB)/node_modules/.package-lock.json ## Run the web UI's own tests
	@cd $(WEB) && npm run --silent lint && npm test --silent

test-system: web ## Run the tests with real tools: grpcurl or buf, a browser, this machine's probe
	@.ci/system

lint: web ## Check formatting, lints and the contract
	@.ci/lint

fmt: ## Format everything
	@cargo fmt --all
	@.ci/with-tools buf format -w
	@cd $(WEB) && npx biome check --write .

bench: web ## Measure; with SCOPE_APP=/path/to/scope beside Scope's own app
	@.ci/bench

bench-load: web ## Replay Weave Cloud's busiest hour: FACTOR=1 MINUTES=5 WATCHED=0
	@cargo build --release -p weft --bin weft -p tests --bin bench
	@target/release/bench load $(or $(FACTOR),1) $(or $(MINUTES),5) $(or $(WATCHED),0)

bench-edge: web ## Measure what the edge costs beside nginx, and the memory of 10,000 WebSockets
	@cargo build --release -p weft --bin weft -p tests --bin bench
	@WEFT_BIN=target/release/weft target/release/bench edge

fuzz: ## Fuzz every decoder for a minute each (SECONDS_EACH=60)
	@.ci/fuzz

ci: ## What hosted CI runs, on a clean clone
	@.ci/run

clean: ## Remove everything that was built, and the data of `make up`
	@cargo clean
	@rm -rf $(WEB)/node_modules $(WEB)/dist weft-data

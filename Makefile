# Two commands are all the set-up there is: `make up` and `make test`.

GO       ?= go
BEAMYARD := bin/beamyard
LINT     := bin/golangci-lint-v2.15.0
PKG      ?= ./...

# Go asks git for the commit to stamp, and fails where git has none to tell: in
# a tree without commits, or one that belongs to another user.
ifeq ($(shell git rev-parse -q --verify HEAD 2>/dev/null),)
export GOFLAGS := $(filter-out -buildvcs%,$(GOFLAGS)) -buildvcs=false
endif

# A program with the race detector sleeps for a second before it exits with 0: every test
# binary, and every command that a test runs.
export GORACE ?= atexit_sleep_ms=0

.DEFAULT_GOAL := help
.PHONY: help up down build test test-quick dind-test soak lint fmt bench clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

up: build ## start the demo cluster of 3 nodes, installing what is missing
	@.ci/prepare engine
	@$(BEAMYARD) up images/demo --name demo --detach

down: build ## remove the demo cluster
	@$(BEAMYARD) down demo

build: ## build bin/beamyard
	@.ci/prepare go
	@# Static, so that doctor can run it in a container that holds nothing else.
	@CGO_ENABLED=0 $(GO) build -o $(BEAMYARD) ./cmd/beamyard

test: ## run every test, those on the real engine included; PKG=./… and TESTFLAGS=… choose
	@.ci/prepare go race engine
	@# One package at a time: three of them start clusters, which have deadlines.
	@.ci/leaves-nothing $(GO) test -race -p 1 -timeout 40m $(TESTFLAGS) $(PKG)

# What needs no engine: everything but the adapter, the scenarios and the command line's clusters.
QUICK := ./images ./network/... ./orchestrator ./orchestrator/build ./orchestrator/cluster ./orchestrator/codesync/... \
	./orchestrator/compiler ./orchestrator/config ./orchestrator/control ./orchestrator/diagnosis ./orchestrator/discovery \
	./orchestrator/doctor ./orchestrator/enginetest/... ./orchestrator/faults ./orchestrator/evidence ./orchestrator/health ./orchestrator/hint \
	./orchestrator/internal/... ./orchestrator/keeper ./orchestrator/logs ./orchestrator/secrets ./orchestrator/validation ./orchestrator/watchdog

test-quick: ## run the tests that need no engine, for the inner loop
	@.ci/prepare go race
	@DOCKER_HOST=unix:///nonexistent/docker.sock $(GO) test -race $(TESTFLAGS) $(QUICK)
	@DOCKER_HOST=unix:///nonexistent/docker.sock $(GO) test -race -run '^(TestScript|TestReadme.*|TestHelp.*)$$' $(TESTFLAGS) ./cmd/beamyard

dind-test: export PKG := $(PKG)
dind-test: export TESTFLAGS := $(TESTFLAGS)
dind-test: ## run a cluster and the tests on an isolated engine (Docker in Docker); PKG and TESTFLAGS too
	@.ci/dind/test

soak: ## break a cluster at random for SOAK=10m, losing nothing; SEED=… plays one again
	@.ci/prepare go race engine
	@.ci/leaves-nothing $(GO) test -race -tags soak -count=1 -timeout 0 -v ./orchestrator/soak -soak $(or $(SOAK),10m) $(if $(SEED),-seed $(SEED))

lint: $(LINT) ## check the form and the linters
	@.ci/prepare go
	@$(GO) mod tidy -diff
	@$(GO) vet ./...
	@$(LINT) run
	@.ci/prepare_test.sh

fmt: ## put the source into its one form
	@gofmt -s -w .

bench: ## measure against the bare engine, side by side
	@.ci/prepare go engine
	@.ci/leaves-nothing $(GO) test -tags bench -count=1 -p 1 -timeout 30m -run '^TestBench' -v ./orchestrator/e2e ./testsupport
	@$(GO) test -run '^$$' -bench . -benchmem ./orchestrator/logs ./network/erldist

clean: ## remove every cluster, our images, and bin/
	@.ci/clean

$(LINT):
	@.ci/prepare go
	@echo "building $(@F), about a minute, once" >&2
	@# It must be built by a Go no older than the one that go.mod asks for.
	@GOBIN=$(CURDIR)/bin GOFLAGS= GOTOOLCHAIN=$$($(GO) env GOVERSION)+auto \
		$(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT:bin/golangci-lint-%=%)
	@mv bin/golangci-lint $@

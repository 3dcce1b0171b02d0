# Two commands are all the set-up there is: `make up` and `make test`.

GO       ?= go
BEAMYARD := bin/beamyard
LINT     := bin/golangci-lint-v2.15.0
VULN     := bin/govulncheck-v1.9.0
SBOM     := bin/cyclonedx-gomod-v1.10.0
PKG      ?= ./...

# Go asks git for the commit to stamp, and fails where git has none to tell: in
# a tree without commits, or one that belongs to another user.
ifeq ($(shell git rev-parse -q --verify HEAD 2>/dev/null),)
export GOFLAGS := $(filter-out -buildvcs%,$(GOFLAGS)) -buildvcs=false
endif

# A program with the race detector sleeps for a second before it exits with 0: every test
# binary, and every command that a test runs.
export GORACE ?= atexit_sleep_ms=0

# The flags with which the tests, and what they build, have the race detector.
RACE := $(strip $(or $(GOFLAGS),$(shell $(GO) env GOFLAGS 2>/dev/null)) -race)

.DEFAULT_GOAL := help
.PHONY: help up down build test test-all compiler ready test-quick dind-test hosts-test secrets-test kill-test soak fuzz lint vulncheck fmt bench bench-quick bench-engines release release-test clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

up: build ## start the demo cluster of 3 nodes, installing what is missing
	@.ci/prepare engine
	@$(BEAMYARD) up images/demo --name demo --detach

down: build ## remove the demo cluster
	@$(BEAMYARD) down demo

build: ## build bin/beamyard
	@.ci/prepare go
	@# Static, so that doctor can run it in a container that holds nothing else.
	@CGO_ENABLED=0 $(GO) build -o $(BEAMYARD) ./cmd/beamyard

# Of `make lint test`, what is slow is done once, or meanwhile. The linters read what the compiler wrote
# for the tests, and have vetted every package. The engine is installed while they are built.
BOTH := $(and $(filter lint,$(MAKECMDGOALS)),$(filter test test-all,$(MAKECMDGOALS)))
ifdef BOTH
MAKEFLAGS += -j2
lint: export GOFLAGS := $(RACE)
lint: compiler
test: lint
endif

# What only `make test-all` runs, as the flag -skip. Tests that -run chooses are all run.
LONG = $(if $(findstring -run,$(TESTFLAGS)),,-skip '$(shell sed -n 's|/|$$/^|g; /^Test/s/.*/^&$$/p' .ci/long | paste -sd'|' -)')

test-all: LONG =
test-all: test ## run every test: an hour, on two processors

# In GOFLAGS the race detector is on for what tests build, too: it is compiled already.
test: export GOFLAGS := $(RACE)
test: ready ## run the tests, those on the real engine included; PKG=./… and TESTFLAGS=… choose
	@# Nothing is compiled beside clusters, which have deadlines. (Errors are for go test to report.)
	@$(if $(BOTH),,$(GO) list -export -test -deps -f '' $(PKG) >/dev/null 2>&1 || true)
	@# Three packages at a time, of which one starts clusters: see orchestrator/enginetest/turn. The
	@# go command counts the time that a package waits for its turn, too.
	@.ci/leaves-nothing $(GO) test $(if $(BOTH),-vet=off) -p 3 -timeout 80m $(LONG) $(TESTFLAGS) $(PKG)

compiler:
	@.ci/prepare go race

ready: compiler
	@.ci/prepare engine browser

# What needs no engine: everything but the adapter, the scenarios and the command line's clusters.
QUICK := ./cmd/beamyard/internal/... ./images ./network/... ./orchestrator ./orchestrator/ask ./orchestrator/build ./orchestrator/chaos ./orchestrator/check ./orchestrator/cluster ./orchestrator/codesync/... \
	./orchestrator/compiler ./orchestrator/config ./orchestrator/control ./orchestrator/diagnosis ./orchestrator/discovery \
	./orchestrator/docker/tunnel ./orchestrator/doctor ./orchestrator/effects ./orchestrator/enginetest/... ./orchestrator/faults ./orchestrator/evidence ./orchestrator/health ./orchestrator/hint ./orchestrator/hosts \
	./orchestrator/internal/... ./orchestrator/keeper ./orchestrator/logs ./orchestrator/mcp ./orchestrator/metrics ./orchestrator/parking ./orchestrator/secrets ./orchestrator/suite ./orchestrator/swarm ./orchestrator/target ./orchestrator/ui ./orchestrator/ui/script ./orchestrator/upgrade ./orchestrator/validation ./orchestrator/volume ./orchestrator/watchdog \
	./testsupport/history ./testsupport/internal/bench

test-quick: ## run the tests that need no engine, for the inner loop
	@.ci/prepare go race
	@DOCKER_HOST=unix:///nonexistent/docker.sock $(GO) test -race $(TESTFLAGS) $(QUICK)
	@DOCKER_HOST=unix:///nonexistent/docker.sock $(GO) test -race -run '^(TestScript|TestHosts.*|TestReadme.*|TestHelp.*|TestCompletion.*|TestVersion.*|TestManual.*)$$' $(TESTFLAGS) ./cmd/beamyard

dind-test: export PKG := $(PKG)
dind-test: export TESTFLAGS := $(TESTFLAGS)
dind-test: ## run a cluster and the tests on an isolated engine (Docker in Docker); PKG and TESTFLAGS too
	@.ci/dind/test

hosts-test: export TESTFLAGS := $(TESTFLAGS)
hosts-test: ## run a cluster over three engines in containers, joined in a swarm; TESTFLAGS too
	@.ci/prepare go race engine
	@.ci/leaves-nothing .ci/dind/hosts

secrets-test: ## search everything that is shown for the cookie and secrets, in 4 minutes
	@.ci/prepare go race engine
	@.ci/leaves-nothing $(GO) test -race -tags leaks -count=1 -v -run '^(TestLeaksAreFound|TestSecretsAreShownNowhere)$$' ./cmd/beamyard

kill-test: ## kill commands, supervisors and test binaries KILLS=20 times each: nothing is left; SEED=… again
	@.ci/prepare go race engine
	@.ci/leaves-nothing $(GO) test -race -tags kills -count=1 -timeout 60m -v -run '^TestKilled(Command|Supervisor)$$' ./cmd/beamyard $(KILLING)
	@.ci/leaves-nothing $(GO) test -race -tags kills -count=1 -timeout 60m -v -run '^TestKilledTestBinary$$' ./testsupport $(KILLING)

soak: ## break a cluster at random for SOAK=10m, losing nothing; SEED=… plays one again
	@.ci/prepare go race engine
	@.ci/leaves-nothing $(GO) test -race -tags soak -count=1 -timeout 0 -v ./orchestrator/soak -soak $(or $(SOAK),10m) $(if $(SEED),-seed $(SEED))

fuzz: ## fuzz each fuzz test for FUZZ=10m; PKG=./… chooses; 4 hours
	@.ci/prepare go
	@.ci/fuzz $(or $(FUZZ),10m) $(PKG)

KILLING = -kills $(or $(KILLS),20) $(if $(SEED),-seed $(SEED))

lint: $(LINT) ## check the form, the linters, and known vulnerabilities if their database answers
	@.ci/prepare go
	@$(GO) mod tidy -diff
	@$(LINT) run
	@.ci/vet_test.sh $(LINT)
	@.ci/prepare_test.sh
	@.ci/vulncheck_test.sh
	@.ci/vulncheck $(VULN) --if-reachable

vulncheck: $(VULN) ## look for known vulnerabilities in what is called
	@.ci/vulncheck $(VULN)

fmt: ## put the source into its one form
	@gofmt -s -w .

# The flags of the benchmark: BENCHFLAGS='-sizes 3,10 -rounds 3'.
BENCH := $(GO) test -tags bench -count=1 -timeout 120m -run '^TestBench$$' -v ./testsupport/internal/bench -beamyard $(CURDIR)/$(BEAMYARD)
RUNS  := testsupport/internal/bench/testdata

bench: build ## measure beside the bare engine, Compose and testcontainers, and publish the table; 35 minutes
	@.ci/prepare go engine
	@.ci/leaves-nothing $(BENCH) -compose2 "$$(.ci/compose2 $(CURDIR)/bin/compose2)" -results $(CURDIR)/bin/bench.json $(BENCHFLAGS)
	@cp bin/bench.json $(RUNS)/bench.json
	@UPDATE=1 $(GO) test -count=1 -run TestWhatIsPublishedIsTheLastRun ./testsupport/internal/bench

bench-quick: build ## the rows of the inner loop, in 3 minutes, for benchstat: bin/bench.txt
	@.ci/prepare go engine
	@.ci/leaves-nothing $(BENCH) -quick -results $(CURDIR)/bin/bench-quick.json -benchstat $(CURDIR)/bin/bench.txt $(BENCHFLAGS)
	@if command -v benchstat >/dev/null && [ -e bin/bench.txt.old ]; then benchstat bin/bench.txt.old bin/bench.txt; fi

bench-engines: build ## the quick one on several engines, in containers; 15 minutes
	@.ci/prepare go engine
	@.ci/leaves-nothing .ci/dind/bench $(RUNS)/engines.json $(ENGINES)
	@UPDATE=1 $(GO) test -count=1 -run TestWhatIsPublishedIsTheLastRun ./testsupport/internal/bench

release: $(SBOM) ## build archives, packages, SBOMs and checksums of this commit in dist/
	@.ci/prepare go
	@.ci/release dist $(SBOM)

release-test: $(SBOM) ## test dist/: the same bytes again, complete, installable; 10 minutes
	@.ci/release_test.sh dist $(SBOM)

clean: ## remove every cluster, our images, and bin/
	@.ci/clean

$(LINT): .golangci.yml
	@.ci/prepare go
	@echo "building $(@F), about a minute, once" >&2
	@mkdir -p $(@D)
	@# It must be built by a Go no older than the one that go.mod asks for.
	@GOTOOLCHAIN=$$($(GO) env GOVERSION)+auto .ci/linter $(LINT:bin/golangci-lint-%=%) $@

$(VULN) $(SBOM):
	@.ci/prepare go
	@echo "building $(@F), about a minute, once" >&2
	@GOBIN=$(CURDIR)/bin GOFLAGS= $(GO) install $(TOOL)
	@mv bin/$(firstword $(subst -v, ,$(@F))) $@
$(VULN): TOOL = golang.org/x/vuln/cmd/govulncheck@$(VULN:bin/govulncheck-%=%)
$(SBOM): TOOL = github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(SBOM:bin/cyclonedx-gomod-%=%)

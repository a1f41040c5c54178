# Freshet: `make` lists what there is. Every target says what it does and installs what it needs.
SHELL := /usr/bin/env bash
GO ?= go
BIN := bin/freshet
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help demo build page test-page test race lint bench bench-models bench-serving bench-freshness bench-loop fuzz properties soak chaos generate check-generated clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 20

build: ## build bin/freshet
	@$(GO) build -trimpath -o $(BIN) ./cmd/freshet

demo: build ## replay a year of flights: topics in, features, models that learn per event, predictions out
	@$(BIN) demo flights --exit

test: ## run all tests, against real Kafka, Redis, Valkey and S3 too: installs them where it may; FRESHET_WITHOUT=kafka,valkey leaves out
	@bash .ci/test

page: ## build the page of the HTTP port again (needs Node.js) and its pictures in docs/images
	@bash .ci/page build
	@bash .ci/page shots

test-page: ## prove that the committed page is fresh, and test it in Chromium; installs what it needs where it may
	@bash .ci/page test

race: ## run the tests of everything that has goroutines under the race detector
	@bash .ci/race

lint: ## gofmt, vet, staticcheck and the directions of imports
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on the files above"; exit 1; }
	@$(GO) vet ./...
	@$(GO) run $(STATICCHECK) ./...
	@$(GO) test ./internal/layers

bench: ## run the benchmarks of the hot paths
	@$(GO) test -run '^$$' -bench . -benchmem ./features/... ./models/... ./trainer/... ./serving/... ./internal/frame/...

bench-models: ## measure the models: accuracy, processor time, memory; QUICK=1 takes a minute or two; docs/benchmarks-models.md says how to have other libraries beside
	@$(GO) run ./internal/benchmodels $(if $(QUICK),-quick) $(if $(ONLY),-only '$(ONLY)')

bench-serving: ## measure predictions and lookups beside an empty gRPC echo, with a real redis-server
	@$(GO) test -count=1 -timeout 10m -run 'TestAgainstEcho|TestLookupLatency|TestPublishing' -v ./serving -args -echo

bench-freshness: ## measure, between processes on one real broker and on three, how soon events and labels show, and predictions meanwhile; LOAD (30) seconds of load for each
	@$(GO) test -count=1 -timeout 20m -run TestFreshness -v ./cmd/freshet -args -freshness $${LOAD:-30}

bench-loop: ## measure the CPU of application, real broker and real store for a million events
	@$(GO) test -count=1 -timeout 20m -run TestWholeLoop -v ./cmd/freshet -args -loop $${EVENTS:-2000000}

fuzz: ## fuzz every decoder for FUZZTIME each (default 20s)
	@bash .ci/fuzz $${FUZZTIME:-20s}

properties: ## run the property tests of the pure packages from a new seed, CHECKS (3000) cases each; a failure prints the seed that repeats it
	@bash .ci/properties $${CHECKS:-3000}

soak: ## the June and July flights ten times over; memory must stay flat (takes minutes)
	@$(GO) test -count=1 -timeout 30m -run TestSoak -v ./internal/demo -args -soak

chaos: ## faults drawn by SEED (1) for MINUTES (10) on real Kafka and Redis, and the controls that must fail; as root also full disks
	@.ci/services kafka redis
	@$(GO) test -count=1 -timeout $$(( $${MINUTES:-10} + 30 ))m -v -run 'TestSurvival|TestControlsFail' ./internal/chaos -args -seed=$${SEED:-1} -minutes=$${MINUTES:-10} -ahead=$${AHEAD:-4000} -controls

generate: ## write everything that is generated: protobuf code, the reference pages, the dashboard
	@bash proto/generate.sh
	@$(GO) test ./models/catalog -run ReferencePage -rewrite >/dev/null
	@$(GO) test ./internal/project ./internal/metrics ./internal/monitoring ./cmd/freshet -update >/dev/null

check-generated: ## fail when generated protobuf code is not fresh (the reference pages have tests of their own)
	@bash proto/generate.sh
	@git diff --exit-code -- proto || { echo "generated files are stale: run make generate and commit"; exit 1; }

clean: ## remove what was built
	@rm -rf bin

# Every target is one command that you could type yourself. Longer ones are scripts in .ci.
# Variables: PKG, the packages to test; FUZZTIME, for each fuzz target; OUT, the coverage profile.

PKG         ?= ./...
FUZZTIME    ?= 30s
OUT         ?= cover.out
BACKENDS    := uring,epoll,poll,select
REST         = $$(go list ./... | grep -v '/conformance$$' | tr '\n' ' ')
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build run test test-rest race race-rest invariants invariants-rest conformance bench bench-smoke cross tags lint fuzz cover tidy-check peers ci

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the tool as bin/sluice
	go build -buildvcs=false -o bin/sluice ./cmd/sluice

run: build ## measure every backend on this machine, in one table
	./bin/sluice bench --quick

test: ## run the tests; needs nothing but Go
	go test -shuffle=on -timeout 30m $(PKG)

test-rest: ## run the tests but those of conformance
	@$(MAKE) --no-print-directory test PKG="$(REST)"

race: ## run the tests under the race detector; needs a C compiler
	REQUIRE_RACE=1 go test -race -shuffle=on -timeout 60m $(PKG)

race-rest: ## run the tests under the race detector that conformance has not run so
	@$(MAKE) --no-print-directory race PKG="$(REST)"

invariants-rest: ## run the tests with the internal checks that conformance has not run so
	@$(MAKE) --no-print-directory invariants PKG="$(REST)"

invariants: ## run the tests with the internal checks compiled in
	REQUIRE_INVARIANTS=1 go test -tags invariants -shuffle=on -timeout 30m $(PKG)

conformance: ## run the conformance matrix on all four backends, none may be missing, and print its table
	REQUIRE_BACKENDS=$(BACKENDS) .ci/conformance

bench: ## run the benchmarks, in benchstat's format
	go test -run '^$$' -bench . ./bench/...

bench-smoke: ## run each benchmark once, so that none rots
	go test -run '^$$' -bench . -benchtime=1x ./bench/...

cross: ## build and vet all for the other platforms, and link the tests of some
	.ci/cross

tags: ## build with each backend alone, and check that no other is linked
	.ci/tags

lint: ## gofmt, vet, the project's own rules, staticcheck
	@test -z "$$(gofmt -l .)" || { echo 'not formatted; run gofmt -w on:'; gofmt -l .; exit 1; }
	go vet ./...
	go test ./internal/lint/
	go run $(STATICCHECK) ./...

fuzz: ## run each fuzz target for FUZZTIME
	FUZZTIME=$(FUZZTIME) .ci/fuzz

cover: ## say how much of the code the tests reach
	go test -coverpkg=./... -coverprofile=$(OUT) $(PKG) && go tool cover -func=$(OUT) | tail -n 1

tidy-check: ## check that go.mod and go.sum are as go mod tidy would leave them
	go mod tidy -diff && go -C bench/peers mod tidy -diff

peers: ## build and vet the peers that we measure against, a module of its own
	go -C bench/peers build -buildvcs=false -o /dev/null ./... && go -C bench/peers vet ./...

# In ci, what the conformance target does is not done again by test, race and invariants.
ci: build lint tidy-check test-rest tags cross peers bench-smoke invariants-rest conformance race-rest ## everything that has to pass before a change goes in

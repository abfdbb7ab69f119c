# Everything is built with nomsgpack: grantd speaks no MessagePack, and gin
# brings 6.5 MB of it.
TAGS     := nomsgpack
LINT     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BENCHSTAT := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
# What tests run, as program or program:package where the names differ.
PROGRAMS := redis-server redis-sentinel curl jq npm openssl buildah systemd-analyze:systemd wrk
# The two configurations that are compiled. The plain one is the released
# program, in the image too; everything that is not -race uses it.
GO       := CGO_ENABLED=0 go
PLAIN    := -trimpath -tags $(TAGS)
SHELL    := /bin/bash -o pipefail

.DEFAULT_GOAL := help
.PHONY: help build test tools lint bench steps dev

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' Makefile

build: ## build ./bin/grantd
	$(GO) build $(PLAIN) -o bin/grantd .

# One package at a time: many start servers that watch each other's time-outs,
# and a busy machine is not what they test. `make lint` does what vet would.
test: tools ## install what the tests need, then run all of them with -race; a skipped test fails
	@go mod download
	@go build -race -tags $(TAGS) ./...
	@go test -race -p 2 -vet=off -tags $(TAGS) -count=1 -timeout 20m -v ./... 2>&1 | awk -f tests/verdict.awk
	@go test -tags $(TAGS) -count=1 -run TestAllocations ./server # the race detector allocates too

# Only what is missing is installed, and only where apt is: elsewhere the
# tests that need it fail and say so.
tools:
	@missing=; for p in $(PROGRAMS); do command -v $${p%:*} >/dev/null || missing="$$missing $${p#*:}"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		command -v apt-get >/dev/null || { echo "there is no apt-get here: install$$missing yourself" >&2; exit 1; }; \
		sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

lint: ## run golangci-lint; the first run builds it, which takes minutes
	go run $(LINT) run

bench: tools ## measure grantd against a floor, some 20 minutes; ARGS="-h" tells what else it can do
	go run -tags $(TAGS) ./tests/bench $(ARGS)

steps: ## benchmark each step of a request into NEW (steps.out); with OLD=file, compare with that run
	go test -tags $(TAGS) -run '^$$' -bench 'Parse|Render|Authenticate|Make|Read|Token$$|Issue|IntrospectHot' -benchmem -count 6 \
		./server ./server/auth ./server/oauth ./server/tokens ./server/web ./store | tee $(or $(NEW),steps.out)
	$(if $(OLD),go run $(BENCHSTAT) $(OLD) $(or $(NEW),steps.out))

dev: ## run a server to play with
	@go run -tags $(TAGS) . dev

# Everything is built with nomsgpack: grantd speaks no MessagePack, and gin
# brings 6.5 MB of it.
TAGS     := nomsgpack
LINT     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
# What tests run, as program or program:package where the names differ.
PROGRAMS := redis-server redis-sentinel curl jq npm buildah systemd-analyze:systemd
SHELL    := /bin/bash -o pipefail

.DEFAULT_GOAL := help
.PHONY: help build test tools lint bench dev

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' Makefile

build: ## build ./bin/grantd
	go build -trimpath -tags $(TAGS) -o bin/grantd .

test: tools ## install what the tests need, then run all of them with -race; a skipped test fails
	@go mod download
	@go test -race -tags $(TAGS) -count=1 -timeout 20m -v ./... 2>&1 | awk -f tests/verdict.awk

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

bench: ## run the benchmarks of the stores
	go test -tags $(TAGS) -run '^$$' -bench . -benchmem ./store/...

dev: ## run a server to play with
	@go run -tags $(TAGS) . dev

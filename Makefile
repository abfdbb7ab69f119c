# Everything is built with nomsgpack: grantd speaks no MessagePack, and gin
# brings 6.5 MB of it.
TAGS     := nomsgpack
# Empty outside a checkout. The image is given the same; see deploy/Dockerfile.
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null)
LINT     := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BENCHSTAT := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
# What tests run, as program or program:package where the names differ.
PROGRAMS := redis-server redis-sentinel haproxy curl jq npm python3 openssl buildah systemd-analyze:systemd wrk promtool:prometheus chromium nginx caddy \
            rails:ruby-doorkeeper rails:ruby-activerecord rails:ruby-sqlite3 rails:ruby-bcrypt
# What tests load, as file:package.
PYTHON   := /usr/lib/python3/dist-packages
FILES    := /usr/lib/apache2/modules/mod_lua.so:apache2-bin /usr/share/lua/5.3/socket.lua:lua-socket \
            /usr/lib/apache2/modules/mod_oauth2.so:libapache2-mod-oauth2 /usr/lib/apache2/modules/mod_auth_openidc.so:libapache2-mod-auth-openidc \
            $(PYTHON)/authlib:python3-authlib $(PYTHON)/flask:python3-flask $(PYTHON)/oauth2_provider:python3-django-oauth-toolkit \
            $(PYTHON)/rest_framework:python3-djangorestframework $(PYTHON)/requests:python3-requests
# The two configurations that are compiled. The plain one is the released
# program, in the image too; everything that is not -race uses it.
GO       := CGO_ENABLED=0 go
PLAIN    := -trimpath -tags $(TAGS)
# Tests that run grantd as a process run the one that `make build` made.
PROGRAM  := TEST_GRANTD=$(CURDIR)/bin/grantd
ATTACK    = $(PROGRAM) $(GO) test -trimpath -tags $(TAGS),attack -vet=off -count=1 -v -timeout 10m ./tests/attack -args
CHAOS     = $(PROGRAM) $(GO) test -trimpath -tags $(TAGS),chaos -vet=off -count=1 -v -timeout 15m ./tests/chaos -args
# Tests that need large libraries of others are modules of their own.
MODULES  := tests/kubernetes tests/peers
# Proxies of others that tests run. Each is built from a small module with its name, which
# has nothing but the version.
PROXIES  := bin/oathkeeper bin/heimdall
LONG     := ./tests/topology ./tests/redis ./store/redisstore
SHELL    := /bin/bash -o pipefail

.DEFAULT_GOAL := help
.PHONY: help build check test tools lint bench steps attack chaos dev

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' Makefile

build: ## build ./bin/grantd
	$(GO) build $(PLAIN) -ldflags "-X github.com/grantd/grantd/server/version.stamped=$(VERSION)" -o bin/grantd .

# Two packages at a time: many start servers that watch each other's time-outs,
# and a busy machine is not what they test. Those that wait the longest come
# first, so that none of them runs alone in the end. `make lint` does what vet
# would.
test: tools build $(PROXIES) ## install what the tests need, then run all of them with -race; a skipped test fails
	@go mod download
	@CGO_ENABLED=1 go build -race $(PLAIN) ./...
	@$(PROGRAM) CGO_ENABLED=1 go test -race $(PLAIN) -p 2 -vet=off -count=1 -timeout 10m -v $(LONG) $$(go list $(PLAIN) ./... | grep -v /tests/guarded) 2>&1 | awk -f tests/verdict.awk
	@$(PROGRAM) $(GO) test $(PLAIN) -vet=off -count=1 -timeout 10m -v ./tests/guarded 2>&1 | awk -f tests/verdict.awk # alone: it needs the processors
	@for m in $(MODULES); do (cd $$m && $(PROGRAM) $(GO) test $(PLAIN) -p 2 -vet=off -count=1 -timeout 10m -v ./... 2>&1 | awk -f ../verdict.awk) || exit 1; done
	@$(GO) test $(PLAIN) -vet=off -count=1 -run TestAllocations ./server # the race detector allocates too
	@$(ATTACK) -each 2s | awk -f tests/verdict.awk # alone: it would attack what runs beside it too
	@$(CHAOS) -rounds 1 | awk -f tests/verdict.awk # alone: it needs the processors

# With a cold build cache, they take five minutes of one core.
$(PROXIES): bin/%: tests/resourceservers/%/go.mod tests/resourceservers/%/go.sum
	cd $(<D) && $(GO) build $(PLAIN) -o $(CURDIR)/$@ tool

# -short leaves out Redis Sentinel and Cluster, images, and what takes long.
check: build ## run the tests that are quick, without -race: for the inner loop
	@$(PROGRAM) $(GO) test $(PLAIN) -short -vet=off -timeout 5m ./tests/redis ./... | awk '!/no test files/'

# Only what is missing is installed, and only where apt is: elsewhere the
# tests that need it fail and say so.
tools:
	@missing=; for p in $(PROGRAMS); do command -v $${p%:*} >/dev/null || missing="$$missing $${p#*:}"; done; \
	for f in $(FILES); do [ -e $${f%:*} ] || missing="$$missing $${f#*:}"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		command -v apt-get >/dev/null || { echo "there is no apt-get here: install$$missing yourself" >&2; exit 1; }; \
		sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

lint: ## run golangci-lint; the first run builds it, which takes minutes
	GOFLAGS="$(GOFLAGS) -trimpath" $(GO) run $(LINT) run

bench: tools ## measure grantd against a floor, some 20 minutes; ARGS="-h" tells what else it can do
	$(GO) run $(PLAIN) ./tests/bench $(ARGS)

steps: ## benchmark each step of a request into NEW (steps.out); with OLD=file, compare with that run
	$(GO) test $(PLAIN) -run '^$$' -bench 'Parse|Render|Authenticate|Make|Read|Token$$|Issue|IntrospectHot|TokenInfoHot' -benchmem -count 6 \
		./server ./server/auth ./server/oauth ./server/tokens ./server/web ./store | tee $(or $(NEW),steps.out)
	$(if $(OLD),go run $(BENCHSTAT) $(OLD) $(or $(NEW),steps.out))

attack: tools build ## attack a grantd on loopback, some 4 minutes: memory and waiting times stay within their bounds
	$(ATTACK) -each 18s -ratio 4

chaos: tools build ## break Redis, connections and grantd while it works, 6 to 10 minutes; ARGS="-only failover" runs one fault
	$(CHAOS) -rounds 20 $(ARGS)

dev: ## run a server to play with
	@$(GO) run -v $(PLAIN) . dev # -v: the first run compiles for minutes

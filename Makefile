# The daily commands. `make demo` and `make test` set up everything they need.

GO      ?= go
BIN     := bin
TAGS    ?= # libsecp256k1: that library computes on the curve (Debian: libsecp256k1-dev)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null)
PKGS    := ./...
# Packages with goroutines are tested under the race detector, the pure ones without.
RACE    := ./peer/... ./chainntnfs/... ./node/... ./channeldb/... ./rpc/... ./cmd/...
PURE     = $(shell $(GO) list ./... | grep -vE '/(peer|chainntnfs|node|channeldb|rpc|cmd)(/|$$)')

# What computes on the curve: again with the C library, where that is installed.
CURVE   := ./lnwire/... ./channel/commitment ./wallet/keys ./peer/noise ./invoice

# What others wrote, in our own tests, from npm: LDK as a peer, a library for lnd as a
# client. Without it they are skipped, unless FULGUR_REQUIRE_INTEROP is set, as .ci/run does.
OTHERS  := itest/interop/ldk itest/clients/js

.PHONY: build demo test itest soak sim others lint proto bench clean

build: $(BIN)/btcd ## fulgurd, fulgur and the pinned btcd into bin/
	$(GO) build -tags "$(strip $(TAGS))" -ldflags "-X github.com/fulgur-ln/fulgur/cmd/internal/build.Commit=$(COMMIT)" -o $(BIN)/ ./cmd/fulgurd ./cmd/fulgur

# btcd's version is the one that go.mod pins; built again only when that changes.
$(BIN)/btcd: go.mod
	$(GO) build -o $@ github.com/btcsuite/btcd

demo: build ## three nodes on a regtest chain: open, pay, forward for a fee, close
	$(BIN)/fulgur demo

test: build lint others ## every test there is
	$(GO) test -timeout 15m $(PURE)
	$(GO) test -timeout 15m -race $(RACE)
	@! pkg-config --exists libsecp256k1 2>/dev/null || $(GO) test -tags libsecp256k1 $(CURVE)

itest: build others ## only the scenarios on real processes, and the house test
	$(GO) test -count=1 -v ./itest/...

KILLS ?= 100
soak: build ## real daemons pay each other while KILLS of them are killed, chains go away and connections break
	$(GO) test -count=1 -v -timeout 6h ./itest/soak -run 'TestSoak$$' -soak.kills $(KILLS)

SEEDS ?= 1000
FIRST ?= 1
PROCS ?= $(shell nproc 2>/dev/null || echo 1)
sim: ## whole nodes under one scheduler, with every kind of accident: the SEEDS schedules from FIRST on, every 100th with the real curve as well
	$(GO) run ./itest/sim/plain $(BIN)/plain
	$(GO) test -modfile $(BIN)/plain/go.mod -count=1 -v -timeout 0 ./itest/sim -run 'TestSeeds$$' -sim.first $(FIRST) -sim.seeds $(SEEDS) -sim.procs $(PROCS)
	$(GO) test -count=1 -v -timeout 0 ./itest/sim -run 'TestSeeds$$' -sim.first $(FIRST) -sim.seeds $(SEEDS) -sim.stride 100

others: ## the packages of LDK and of the clients, where Node.js is installed
	@command -v npm >/dev/null || echo "Node.js is not installed: NOTHING WILL BE PROVEN AGAINST LDK AND CLIENTS"
	@! command -v npm >/dev/null || $(MAKE) -s $(OTHERS:%=%/node_modules/.package-lock.json) || \
		echo "npm ci failed: NOTHING WILL BE PROVEN AGAINST LDK AND CLIENTS"

%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w"; exit 1; }
	$(GO) vet $(PKGS)
	$(GO) tool -modfile=tools/go.mod staticcheck $(PKGS)

proto: ## generate the Go code of proto/ again
	$(GO) run ./proto/internal/gen -api docs/api.md

bench: ## the benchmarks behind docs/benchmarks.md
	$(GO) test -run '^$$' -bench . -benchmem $(PKGS)

clean:
	rm -rf $(BIN)

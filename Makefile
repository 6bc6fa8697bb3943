# The two commands: `make demo` shows ringbeat at work, `make test` passes its tests.
# Everything else is for those who change the code.

GO          ?= go
GOFUMPT     := $(GO) run mvdan.cc/gofumpt@v0.12.0
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 10s
SOAKOPS     ?= 1000000

.PHONY: demo test build lint fmt race faults fuzz soak bench bench-compare ci need-test need-faults

## demo: the 12-second tour on embedded servers; needs only Go
demo:
	@$(GO) run ./cmd/mcbench

## test: unit and integration tests against real memcached
test: need-test
	$(GO) test -timeout 10m ./...

build:
	$(GO) build ./...

## lint: format, vet, staticcheck, and the direction of the imports
lint:
	@fmt=$$($(GOFUMPT) -l .); if [ -n "$$fmt" ]; then echo "not formatted (make fmt):"; echo "$$fmt"; exit 1; fi
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./ring ./pool ./heartbeat ./client
	GOOS=windows $(GO) build ./ring ./pool ./heartbeat ./client
	$(STATICCHECK) ./...
	.ci/arrows

fmt:
	$(GOFUMPT) -l -w .

## race: the same tests under the race detector
race: need-test
	$(GO) test -race -short -timeout 15m ./...

## faults: outages of real memcached; needs root for iptables
faults: need-faults
	RINGBEAT_FAULTS=1 $(GO) test -count=1 -timeout 15m -run '^TestFault' -v ./client/...

## fuzz: every fuzz target for FUZZTIME
fuzz:
	GO="$(GO)" .ci/fuzz $(FUZZTIME)

## soak: never another key's value, 64 goroutines x SOAKOPS operations
soak:
	RINGBEAT_SOAK_OPS=$(SOAKOPS) $(GO) test -race -count=1 -timeout 170m -run '^TestNeverAnotherKeysValue$$' -v ./pool/

## bench: hot paths
bench: need-test
	$(GO) test -run '^$$' -bench . -benchmem ./ring/ ./internal/proto/ ./pool/

## bench-compare: ringbeat and gomemcache, interleaved, against real memcached
bench-compare: need-test
	$(GO) run ./cmd/benchcompare

ci: export CI = true
ci: lint build test race faults fuzz

# Without root no test uses packet filters, so nobody is asked to install them.
need-test:
	@.ci/need memcached memccapable $(if $(filter 0,$(shell id -u)),iptables)

need-faults:
	@.ci/need memcached iptables

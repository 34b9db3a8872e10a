# make test installs what it needs (as root; otherwise it says what is missing)
# and runs every check. The parts can be run one by one.
parts := setup build vet lint unit conformance docs browser newcomer streamlit prometheus fuzz demo

.PHONY: test help bench-quota bench-prompts bench-proxy prove-batch prove-budgets prove-ledger $(parts)

# The Streamlit tests wait most of the time, so others run beside them; the browser's measure, and run alone.
test: ## every check, from a fresh machine on; the last line counts the tests
	@scripts/check.sh setup build vet lint unit +streamlit conformance docs fuzz newcomer wait browser prometheus demo

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## install what the checks need
build: ## build the binary into .cache/bin
vet: ## go vet, gofmt, go fix -diff
lint: ## staticcheck
unit: ## go test -race of all modules
conformance: ## the official clients through the gateway, against the simulator
docs: ## every block of the documents, run against the simulator
browser: ## the page in Chromium
prometheus: ## alert rules by promtool, and a real Prometheus that scrapes a gateway
streamlit: ## the Streamlit package with an old version and the newest, in Chromium too
newcomer: ## a clean clone, the README's command, and the quota moves on the page
fuzz: ## every fuzz target for a few seconds
demo: ## the demo: no 429 may get through
$(parts):
	@scripts/check.sh $@

prove-budgets: ## 50 rounds of killed gateways over a budget of one dollar
	WEIR_KILL_ROUNDS=50 go test -count=1 ./cmd/weir -run TestBudgetOutlivesKills -v -timeout 30m

prove-ledger: ## 50 killed writers of the ledger, with SQLite and with PostgreSQL
	WEIR_KILL_ROUNDS=50 go test -count=1 ./internal/ledger -run 'TestKilled|TestPostgresWriterKilled' -v -timeout 30m

bench-quota: ## measure every scenario and write docs/benchmarks/quota.md
	@mkdir -p docs/benchmarks
	WEIR_REVISION=$$(git rev-parse --short HEAD) WEIR_BENCH_QUOTA=$(CURDIR)/docs/benchmarks/quota.md go test -count=1 -timeout=60m -run='^TestBenchQuota$$' ./internal/bench

bench-prompts: ## measure coding agents with and without prompt caching and write docs/benchmarks/prompt-caching.md
	WEIR_REVISION=$$(git rev-parse --short HEAD) WEIR_BENCH_PROMPTS=$(CURDIR)/docs/benchmarks/prompt-caching.md go test -count=1 -timeout=30m -run='^TestBenchPrompts$$' ./internal/bench

bench-proxy: ## compare with a bare reverse proxy in one interleaved run
	go test -run='^$$' -bench='AgainstReverseProxy|AddedLatency' -benchtime=4s ./weir

prove-batch: ## kill weir batch (10,000 requests) and weir serve at random instants, and count every result
	WEIR_KILL_REQUESTS=10000 WEIR_KILL_CALLERS=1000 WEIR_KILLS=5 go test -count=1 -v -run='TestBatchKilled|TestCollectKilled' ./cmd/weir

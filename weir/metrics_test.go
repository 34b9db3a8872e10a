package weir_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

var update = flag.Bool("update", false, "write the list of metrics into docs/operations/metrics.md")

// busyHouse has something to tell by every metric.
func busyHouse(t *testing.T) *house {
	t.Helper()
	fails := false
	h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		time.Sleep(100 * time.Millisecond)
		if fails && strings.Contains(string(body), "haiku") {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		header := w.Header()
		header.Set("Anthropic-Organization-Id", "org")
		for _, limiter := range []string{"Requests", "Input-Tokens", "Output-Tokens"} {
			header.Set("Anthropic-Ratelimit-"+limiter+"-Limit", "50000")
			header.Set("Anthropic-Ratelimit-"+limiter+"-Remaining", "40000")
			header.Set("Anthropic-Ratelimit-"+limiter+"-Reset", "2026-01-01T00:00:00Z")
		}
		io.WriteString(w, answer)
	}, weir.WithAPIKey("main", "sk-ant-api-one"), weir.WithFallback("claude-haiku-4-5", "claude-sonnet-5"),
		weir.WithProtection(named{{Rule: "tenants", Kind: "hotspot", Resource: "*"}}), weir.WithNotifier(deaf{}), weir.WithLedger(blank{}),
		weir.WithLadder(weir.Ladder{Rungs: []weir.Rung{{Do: call.Rung{Kind: call.RungThinking}, Enter: when(t, "headroom < 0.0")}}}),
		weir.WithCache(weir.Cache{Folder: t.TempDir(), Disk: true}),
		weir.WithBatches(weir.Batches{File: filepath.Join(t.TempDir(), "batches.db"), Collect: true}),
		weir.WithBudgets(weir.Budget{Name: "team", Limit: call.Dollar, Period: "month", Each: "tenant"}))
	t.Cleanup(func() { h.gateway.Close() })
	running(t, h.gateway)
	h.post(t, request)
	fails = true
	for range 10 {
		h.post(t, request, "Weir-Max-Wait", "5s")
	}
	if resp, text := h.post(t, request); resp.Header.Get("Weir-Degraded") == "" {
		t.Errorf("no degradation: %s %s", resp.Status, text)
	}
	time.Sleep(3 * time.Second) // the open breaker is noticed
	return h
}

// deaf tells nobody, and says so.
type deaf struct{}

func (deaf) Tell(_, _ []call.Warning) {}
func (deaf) Report() []call.WebhookReport {
	return []call.WebhookReport{{Hook: "ops", Outcome: "sent"}}
}

// blank is a ledger that writes nothing down.
type blank struct{}

func (blank) Event(call.Event)          {}
func (blank) Report() call.LedgerReport { return call.LedgerReport{Checked: true} }

// metric is one line of the list in docs/operations/metrics.md.
type metric struct{ name, kind, labels, help string }

// listed is what a scrape tells of Weir's own metrics.
func listed(page string) []metric {
	found := map[string]*metric{}
	labels := map[string][]string{}
	for line := range strings.Lines(page) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 4)
		switch {
		case words[0] == "#" && words[1] == "HELP" && strings.HasPrefix(words[2], "weir_"):
			found[words[2]] = &metric{name: words[2], help: words[3]}
		case words[0] == "#" && words[1] == "TYPE" && found[words[2]] != nil:
			found[words[2]].kind = words[3]
		case strings.HasPrefix(line, "weir_"):
			name, set, _ := strings.Cut(line, "{")
			name = strings.Fields(name)[0]
			for _, end := range []string{"_bucket", "_sum", "_count"} {
				if m := found[strings.TrimSuffix(name, end)]; m != nil && m.kind == "histogram" {
					name = m.name
				}
			}
			for _, l := range labelName.FindAllStringSubmatch(set, -1) {
				if l[1] != "le" && !slices.Contains(labels[name], l[1]) {
					labels[name] = append(labels[name], l[1])
				}
			}
		}
	}
	var list []metric
	for _, m := range found {
		slices.Sort(labels[m.name])
		m.labels = strings.Join(labels[m.name], ", ")
		list = append(list, *m)
	}
	slices.SortFunc(list, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	return list
}

var labelName = regexp.MustCompile(`(\w+)="`)

const (
	metricsPage = "../docs/operations/metrics.md"
	listBegins  = "<!-- the list: go test ./weir -run TestMetricsAreDocumented -update -->\n"
	listEnds    = "<!-- end of the list -->\n"
)

// TestMetricsAreDocumented holds the page to the metrics: names, types, labels
// and words are a contract with whoever has built alerts on them.
func TestMetricsAreDocumented(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := busyHouse(t)
		list := listed(scrape(t, h.gateway))
		var want strings.Builder
		want.WriteString("| metric | type | labels | what it says |\n|---|---|---|---|\n")
		for _, m := range list {
			fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", m.name, m.kind, m.labels, m.help)
		}
		raw, err := os.ReadFile(metricsPage)
		if err != nil {
			t.Fatal(err)
		}
		before, rest, ok := strings.Cut(string(raw), listBegins)
		got, after, ok2 := strings.Cut(rest, listEnds)
		if !ok || !ok2 {
			t.Fatalf("%s has no place for the list", metricsPage)
		}
		if *update {
			if err := os.WriteFile(metricsPage, []byte(before+listBegins+want.String()+listEnds+after), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		if got != want.String() {
			t.Errorf("%s lists\n%s\nthe gateway has\n%s\nif that is meant, write it with -update", metricsPage, got, want.String())
		}
		if len(list) < 28 {
			t.Errorf("only %d metrics: the test no longer brings all of them about", len(list))
		}
	})
}

// TestClientsNameNoSeries: neither models, tenants, keys nor reasons of a
// caller's invention make a series.
func TestClientsNameNoSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"type":"error","error":{"type":"invented_error","message":"model: evil"}}`)
		})
		h.post(t, request) // the first of its kinds
		before := strings.Count(scrape(t, h.gateway), "\nweir_")
		for i := range 300 {
			body := strings.Replace(request, "claude-haiku-4-5", fmt.Sprintf("evil-%d", i), 1)
			h.post(t, body, "Weir-Tenant", fmt.Sprintf("evil-%d", i), "X-Api-Key", fmt.Sprintf("evil-%d", i))
		}
		page := scrape(t, h.gateway)
		if after := strings.Count(page, "\nweir_"); after != before || strings.Contains(page, "evil") {
			t.Errorf("%d series, %d after 300 inventions", before, after)
		}
	})
}

// TestInventedModelsOpenFewBreakerSeries: while the upstream is down, every
// model opens a breaker.
func TestInventedModelsOpenFewBreakerSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
			weir.WithBreaker(weir.Breaker{Rules: []byte(`[{"resource":"*","strategy":2,"threshold":1,"minRequestAmount":1,
				"statIntervalMs":60000,"retryTimeoutMs":600000}]`)}))
		for i := range 60 {
			h.post(t, strings.Replace(request, "claude-haiku-4-5", fmt.Sprintf("evil-%d", i), 1), "Weir-Max-Wait", "1s")
		}
		page := scrape(t, h.gateway)
		if n := strings.Count(page, "\nweir_breaker_state{"); n != 33 || !strings.Contains(page, `weir_breaker_state{scope="api/other"} 2`) {
			t.Errorf("%d series of breakers, want 32 and one for the others", n)
		}
		if n := len(h.gateway.Protection().Breakers); n != 60 {
			t.Errorf("%d breakers", n)
		}
	})
}

// TestFirstTokenIsTheUpstreams: what the gateway makes wait is not in it.
func TestFirstTokenIsTheUpstreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(3 * time.Second)
			if n++; n == 1 {
				w.Header().Set("Retry-After", "40")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			serveEvents(w, events)
		})
		h.post(t, streamed)
		page := scrape(t, h.gateway)
		for _, want := range []string{
			`weir_first_token_seconds_count{group="claude-haiku-4-5"} 1`, `weir_request_seconds_count{class="normal"} 1`,
			`weir_requests_total{class="normal",outcome="ok",reason=""} 1`, `weir_upstream_attempts_total{kind="ok"} 1`,
			`weir_first_token_seconds_sum{group="claude-haiku-4-5"} 3` + "\n",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("no %s in\n%s", want, page)
			}
		}
	})
}

// TestAttemptsAreTold: each request sent counts once, by what came of it.
func TestAttemptsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			if n++; n < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			io.WriteString(w, answer)
		})
		h.post(t, request)
		page := scrape(t, h.gateway)
		for _, want := range []string{
			`weir_upstream_attempts_total{kind="upstream_failed"} 2`, `weir_upstream_attempts_total{kind="ok"} 1`,
			"\nweir_retries_total 2\n", "\nweir_hedges_total 0\n",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("no %s in\n%s", want, page)
			}
		}
	})
}

// documented are the names of docs/operations/metrics.md, with those that a
// histogram consists of.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\w+)").FindAllStringSubmatch(string(raw), -1) {
		names[row[1]] = true
		if row[2] == "histogram" {
			delete(names, row[1])
			names[row[1]+"_bucket"], names[row[1]+"_sum"], names[row[1]+"_count"] = true, true, true
		}
	}
	return names
}

var metricName = regexp.MustCompile(`\bweir_\w+`)

// TestDashboardAndRulesNameMetrics: each expression of what operators import
// names metrics that there are.
func TestDashboardAndRulesNameMetrics(t *testing.T) {
	names := documented(t)
	raw, err := os.ReadFile("../deploy/grafana/weir.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		t.Fatal(err)
	}
	seen, used := map[int]bool{}, map[string]bool{}
	for _, p := range board.Panels {
		if seen[p.ID] || p.Title == "" || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: it has no id or title of its own, or no place", p.ID, p.Title)
		}
		seen[p.ID] = true
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			found := metricName.FindAllString(target.Expr, -1)
			if len(found) == 0 && !strings.Contains(target.Expr, "up{") {
				t.Errorf("panel %q: %s names no metric of Weir", p.Title, target.Expr)
			}
			for _, name := range found {
				used[name] = true
			}
		}
	}
	for _, v := range board.Templating.List {
		for _, name := range metricName.FindAllString(v.Query, -1) {
			used[name] = true
		}
	}
	rules, err := os.ReadFile("../deploy/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`expr: .*|^ {10,}.*`).FindAllString(string(rules), -1) {
		for _, name := range metricName.FindAllString(name, -1) {
			used[name] = true
		}
	}
	for name := range used {
		if !names[name] {
			t.Errorf("%s is no metric", name)
		}
	}
	if len(used) < 20 {
		t.Errorf("only %d metrics are shown: %v", len(used), used)
	}
}

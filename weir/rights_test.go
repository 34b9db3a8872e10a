package weir_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

var (
	rightsModels   = []string{"claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-sonnet-5", "claude-opus-5", "claude-opus-4-8"}
	rightsPatterns = []string{"claude-haiku-*", "claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-sonnet-5", "claude-opus-*", "claude-*-5", "*"}
	rightsRungs    = []call.RungKind{call.RungEffort, call.RungMaxTokens, call.RungModel, call.RungCached, call.RungBatches, call.RungRefuse}
)

// rightsAt is who may use which models at one time; nil is any.
type rightsAt struct{ clients, tenants [3][]string }

// rightsQuestion is one call of a random history.
type rightsQuestion struct {
	at                              time.Duration
	later                           bool // after the reload
	client                          int
	tenant                          string // in the header; "": none
	model, path, text               string
	stream, split, opted, patient   bool
	class                           call.Class
	denied                          bool // by what the test itself knows
	number                          int
	status                          int
	answered, mark, cached, refused string // what came: the answer's model, and headers
}

// rightsHistory is a random configuration, and what is asked of it.
type rightsHistory struct {
	then       [2]rightsAt // before and after a reload
	chains     map[string][]string
	rungs      []call.RungKind
	overloaded []string
	soft       bool // a budget is above its soft level
	share      bool // tenants share the cache
	hedge      bool
	questions  []*rightsQuestion
}

func drawRights(t *rapid.T) *rightsHistory {
	some := func(name string, of []string) []string {
		return rapid.Permutation(of).Draw(t, name)[:rapid.IntRange(0, 3).Draw(t, name)]
	}
	h := &rightsHistory{
		chains: map[string][]string{}, overloaded: some("overloaded", rightsModels),
		soft: rapid.Bool().Draw(t, "soft"), share: rapid.Bool().Draw(t, "share"), hedge: rapid.Bool().Draw(t, "hedge"),
	}
	for i := range h.then {
		for _, lists := range []*[3][]string{&h.then[i].clients, &h.then[i].tenants} {
			for n := range lists {
				if rapid.IntRange(0, 2).Draw(t, "restricted") == 0 {
					lists[n] = some("patterns", rightsPatterns)
				}
			}
		}
	}
	for _, model := range rightsModels {
		chain := slices.DeleteFunc(some("chain", rightsModels), func(m string) bool { return m == model })
		if len(chain) > 0 {
			h.chains[model] = chain
		}
	}
	for _, kind := range rightsRungs {
		if rapid.Bool().Draw(t, string(kind)) {
			h.rungs = append(h.rungs, kind)
		}
	}
	h.questions = rapid.SliceOfN(rapid.Custom(drawRightsQuestion), 30, 60).Draw(t, "questions")
	for i, q := range h.questions {
		q.number = i
		q.denied = !h.allowed(q, q.model)
	}
	return h
}

func drawRightsQuestion(t *rapid.T) *rightsQuestion {
	one := func(name string, n int) bool { return rapid.IntRange(1, n).Draw(t, name) == 1 }
	q := &rightsQuestion{
		at: time.Duration(rapid.IntRange(0, 5).Draw(t, "at")) * 500 * time.Millisecond, later: rapid.Bool().Draw(t, "later"),
		client: rapid.IntRange(0, 2).Draw(t, "client"), tenant: rapid.SampledFrom([]string{"", "", "t0", "t1", "t2"}).Draw(t, "tenant"),
		model: rapid.SampledFrom(rightsModels).Draw(t, "model"), path: "/v1/messages", text: rapid.SampledFrom([]string{"one", "two"}).Draw(t, "text"),
		stream: rapid.Bool().Draw(t, "stream"), split: one("split", 8), opted: one("opted", 6), patient: one("patient", 4),
		class: call.Class(rapid.IntRange(0, 2).Draw(t, "class")),
	}
	switch rapid.IntRange(0, 12).Draw(t, "path") {
	case 0:
		q.path = "/v1/messages/count_tokens"
	case 1:
		q.path = "/v1/messages/batches"
	}
	return q
}

// allowed reports whether the caller of q may use a model. It is said here in
// other words than in the gateway.
func (h *rightsHistory) allowed(q *rightsQuestion, model string) bool {
	then := h.then[0]
	if q.later {
		then = h.then[1]
	}
	lists := [][]string{then.clients[q.client], then.tenants[q.client]}
	if q.tenant != "" {
		n, _ := strconv.Atoi(q.tenant[1:])
		lists = append(lists, then.tenants[n])
	}
	for _, list := range lists {
		fits := list == nil
		for _, p := range list {
			fits = fits || regexp.MustCompile("^"+strings.ReplaceAll(p, "*", ".*")+`(-\d{8})?$`).MatchString(model)
		}
		if !fits {
			return false
		}
	}
	return true
}

// access is what the gateway is told of it.
func (r rightsAt) access() ([]weir.Client, map[string][]string) {
	list, models := []weir.Client{{Name: "root", Token: "root"}}, map[string][]string{}
	for n := range 3 {
		name := fmt.Sprint("t", n)
		list = append(list, weir.Client{Name: name, Token: name, Models: r.clients[n]})
		if r.tenants[n] != nil {
			models[name] = r.tenants[n]
		}
	}
	return list, models
}

// options are those of the gateway.
func (h *rightsHistory) options(t *testing.T) []weir.Option {
	list, models := h.then[0].access()
	opts := []weir.Option{
		weir.WithAPIKey("other", "sk-ant-api03-y"), weir.WithClients(list...), weir.WithTenantModels(models),
		weir.WithSplit(weir.Split{Above: 400}), weir.WithCache(weir.Cache{Default: call.CacheOn, MaxAge: 30 * time.Second, Share: h.share}),
		weir.WithBatches(weir.Batches{File: filepath.Join(t.TempDir(), "batches.db"), Collect: true}),
		weir.WithBudgets(weir.Budget{Name: "all", Limit: call.Dollar, Period: "month", Soft: 1, Degrade: true}),
	}
	if h.hedge {
		opts = append(opts, weir.WithHedge(100*time.Millisecond))
	}
	for model, chain := range h.chains {
		opts = append(opts, weir.WithFallback(model, chain...))
	}
	var ladder weir.Ladder
	var pull lever
	pull.Store(true)
	for _, kind := range h.rungs {
		ladder.Rungs = append(ladder.Rungs, weir.Rung{Do: call.Rung{Kind: kind, Effort: "low", MaxTokens: 20}, Enter: &pull})
	}
	return append(opts, weir.WithLadder(ladder))
}

// body is what q sends. Calls of class batch say in it whose they are, for they
// may come in a batch with others.
func (q *rightsQuestion) body() string {
	text := q.text
	if q.split {
		text = strings.Repeat("The river rose in the night and fell again. ", 60) + text
	}
	var more string
	if q.class == call.Batch {
		more = fmt.Sprintf(`"metadata":{"user_id":"%d"},`, q.number)
	}
	if q.path != "/v1/messages/count_tokens" {
		more += `"max_tokens":50,`
	}
	if q.stream && q.path == "/v1/messages" {
		more += `"stream":true,`
	}
	one := fmt.Sprintf(`{"model":"%s",%s"messages":[{"role":"user","content":"%s"}]}`, q.model, more, text)
	if strings.HasSuffix(q.path, "/batches") {
		return `{"requests":[{"custom_id":"a","params":` + one + `}]}`
	}
	return one
}

// ask sends q through the gateway, and notes what comes.
func (b *lodge) askRights(t *testing.T, q *rightsQuestion) {
	headers := []string{
		"X-Api-Key", fmt.Sprint("t", q.client), "Anthropic-Version", "2023-06-01", "X-Caller", strconv.Itoa(q.number),
		"X-Sim-Output-Tokens", "10", "Weir-Class", q.class.String(), "Weir-Max-Wait", map[bool]string{true: "1h", false: "12s"}[q.patient],
		"Weir-Degrade", map[bool]string{true: "off", false: "allow"}[q.opted], "Weir-Split", map[bool]string{true: "auto", false: "off"}[q.split],
	}
	if q.tenant != "" {
		headers = append(headers, "Weir-Tenant", q.tenant)
	}
	resp, text := send(t, &http.Client{Transport: b.door}, newPost(t, "http://weir"+q.path, q.body(), headers...))
	q.status, q.mark, q.cached = resp.StatusCode, resp.Header.Get("Weir-Degraded"), resp.Header.Get("Weir-Cache")
	if _, late, ok := strings.Cut(text, ": weir-degraded: "); ok {
		q.mark, _, _ = strings.Cut(late, "\n")
	}
	if strings.Contains(text, "\nevent: error\n") { // it was too late for a status
		q.status = 529
	}
	if m := regexp.MustCompile(`"model": ?"([^"]*)"`).FindStringSubmatch(text); m != nil {
		q.answered = m[1]
	}
	if m := regexp.MustCompile(`"error_code": ?"([^"]*)"`).FindStringSubmatch(text); m != nil {
		q.refused = m[1]
	}
}

// rightsGuard stands before the API, and notes who reaches it with a model that
// is not for them.
type rightsGuard struct {
	history *rightsHistory
	api     http.Handler

	mu     sync.Mutex // guards faults
	faults []string
}

func (g *rightsGuard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(raw))
	type params struct {
		Model    string
		Metadata struct {
			User string `json:"user_id"`
		}
	}
	var body struct {
		params
		Requests []struct{ Params params }
	}
	_ = json.Unmarshal(raw, &body)
	list := []params{body.params}
	for _, each := range body.Requests {
		list = append(list, each.Params)
	}
	for _, p := range list {
		n, err := strconv.Atoi(r.Header.Get("X-Caller"))
		if p.Metadata.User != "" {
			n, err = strconv.Atoi(p.Metadata.User)
		}
		if p.Model != "" && err == nil && !g.history.allowed(g.history.questions[n], p.Model) {
			g.mu.Lock()
			g.faults = append(g.faults, fmt.Sprintf("question %d reached %s with %s", n, r.URL.Path, p.Model))
			g.mu.Unlock()
		}
	}
	g.api.ServeHTTP(w, r)
}

// fault says what is wrong with what came for q.
func (h *rightsHistory) fault(q *rightsQuestion) string {
	undated := regexp.MustCompile(`-\d{8}$`)
	other := q.answered != "" && undated.ReplaceAllString(q.answered, "") != undated.ReplaceAllString(q.model, "")
	switch {
	case q.denied != (q.status == http.StatusForbidden && q.refused == "model_not_allowed"):
		return "it should have been denied, or not"
	case q.status != http.StatusOK && q.status != http.StatusForbidden && q.status != http.StatusTooManyRequests && q.status != 529:
		return "it failed"
	case q.status != http.StatusOK:
		return ""
	case q.answered == "" && q.path == "/v1/messages":
		return "the answer has no model"
	case q.answered != "" && !h.allowed(q, q.answered):
		return "the answer is of a model that is not allowed"
	case other && (!strings.Contains(q.mark, string(call.RungModel)) || !strings.HasSuffix(q.mark, "; from="+q.model)):
		return "the answer is of another model and bears no mark"
	case q.mark != "" && q.opted:
		return "it opted out and bears a mark"
	}
	return ""
}

// TestNothingWidensRights holds, for random rights, chains, ladders, budgets and
// failures, that no request reaches the API with a model that its caller may not
// use, that no answer is of such a model, and that every answer of another model
// than the one that was asked for says so.
func TestNothingWidensRights(t *testing.T) {
	histories, seen := rapid.Custom(drawRights), map[string]int{}
	rounds := 12
	if raced {
		rounds = 3
	}
	for seed := range rounds { // each from its own
		h := histories.Example(seed)
		var faults []string
		synctest.Test(t, func(t *testing.T) { faults = h.play(t) })
		for _, q := range h.questions {
			seen[fmt.Sprint(q.status, " ", q.refused, strings.Split(q.mark, ";")[0], " ", q.cached)]++
			if fault := h.fault(q); fault != "" {
				faults = append(faults, fmt.Sprintf("%s: %+v", fault, *q))
			}
		}
		if len(faults) > 0 {
			t.Errorf("seed %d: %s\n%+v", seed, strings.Join(faults, "\n"), *h)
		}
	}
	t.Log(seen)
	if raced {
		return // too few for all kinds
	}
	for _, kind := range []string{"403 model_not_allowed", "200 fallback", "200 cached hit", "+batches", "200  hit", "429 refused_by_rule"} {
		if !strings.Contains(fmt.Sprint(seen), kind) {
			t.Errorf("no call was answered by %q", kind)
		}
	}
}

// play asks all questions, and reports who reached the API with what was not for
// them.
func (h *rightsHistory) play(t *testing.T) []string {
	var scenario sim.Scenario
	for _, model := range h.overloaded {
		scenario.Faults = append(scenario.Faults, sim.Fault{Kind: sim.FaultOverloaded, Model: model, Endpoint: "messages", For: sim.Duration(10 * time.Minute)})
	}
	api, err := sim.New(sim.Config{Scenario: &scenario, Timing: sim.Timing{TTFT: 400 * time.Millisecond, Batch: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	guard := &rightsGuard{history: h, api: api}
	b := newLodge(t, guard, h.options(t)...)
	running(t, b.gateway)
	if h.soft {
		b.spend(t)
	}
	for _, later := range []bool{false, true} {
		var wg sync.WaitGroup
		for _, q := range h.questions {
			if q.later == later {
				wg.Go(func() { time.Sleep(q.at); b.askRights(t, q) })
			}
		}
		wg.Wait()
		list, models := h.then[1].access()
		if err := b.gateway.SetClients(list, models); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // what is kept is too old now
	}
	guard.mu.Lock()
	defer guard.mu.Unlock()
	return guard.faults
}

// spend brings the budget above its soft level.
func (b *lodge) spend(t *testing.T) {
	resp, text := send(t, &http.Client{Transport: b.door}, newPost(t, "http://weir/v1/messages",
		`{"model":"claude-mythos-5","max_tokens":4000,"messages":[{"role":"user","content":"hi"}]}`,
		"X-Api-Key", "root", "Anthropic-Version", "2023-06-01", "Weir-Degrade", "off", "X-Sim-Output-Tokens", "3000"))
	synctest.Wait()
	if resp.StatusCode != http.StatusOK || b.gateway.Budgets()[0].Spent < call.Dollar/100 {
		t.Errorf("%s %+v %.100s", resp.Status, b.gateway.Budgets(), text)
	}
}

// TestNobodyJoinsOtherRights: a call is answered by another model, and one that
// may not use that asks the same meanwhile. It does not get the first one's
// answer, though both are of one tenant.
func TestNobodyJoinsOtherRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			if raw, _ := io.ReadAll(r.Body); strings.Contains(string(raw), "claude-haiku-4-5") {
				w.WriteHeader(529)
				io.WriteString(w, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`)
				return
			}
			time.Sleep(20 * time.Second)
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, keepable)
		}, weir.WithAPIKey("main", "sk-ant-api03-x"), weir.WithFallback("claude-haiku-4-5", "claude-sonnet-5"), weir.WithCache(weir.Cache{Default: call.CacheOn}),
			weir.WithClients(weir.Client{Name: "any", Token: "any", Tenant: "team"},
				weir.Client{Name: "small", Token: "small", Tenant: "team", Models: []string{"claude-haiku-*"}}))
		var wg sync.WaitGroup
		wg.Go(func() {
			if resp, text := h.post(t, request, "X-Api-Key", "any", "Weir-Max-Wait", "15s"); resp.StatusCode != 200 || resp.Header.Get("Weir-Degraded") != "fallback; from=claude-haiku-4-5" {
				t.Errorf("%s %v %s", resp.Status, resp.Header, text)
			}
		})
		wg.Go(func() {
			time.Sleep(10 * time.Second)
			if resp, text := h.post(t, request, "X-Api-Key", "small", "Weir-Max-Wait", "15s"); resp.StatusCode != 529 {
				t.Errorf("%s %v %s", resp.Status, resp.Header, text)
			}
		})
		wg.Wait()
	})
}

func TestFaultsOfRights(t *testing.T) {
	bad := []string{"claude-haiku-["}
	if _, err := weir.New(weir.WithClients(weir.Client{Name: "ci", Token: "x", Models: bad})); err == nil {
		t.Error("a client: no fault")
	}
	if _, err := weir.New(weir.WithTenantModels(map[string][]string{"team": bad})); err == nil {
		t.Error("a tenant: no fault")
	}
	g, err := weir.New(weir.WithClients(weir.Client{Name: "ci", Token: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if g.SetClients(nil, map[string][]string{"team": bad}) == nil || g.OpenToAll(map[string][]string{"team": bad}) == nil {
		t.Error("while it runs: no fault")
	}
}

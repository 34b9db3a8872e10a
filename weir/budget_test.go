package weir_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

// TestBudgetFromSoftToHard: a tenant spends its budget: first nothing happens,
// then calls move to the other model and are warned, then they are refused until
// the day is over; others go on.
func TestBudgetFromSoftToHard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01 00:00 UTC
		var asked []string
		reply := answer
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			var body struct{ Model string }
			raw, _ := io.ReadAll(r.Body)
			if err := json.Unmarshal(raw, &body); err != nil {
				t.Error(err)
			}
			asked = append(asked, body.Model)
			io.WriteString(w, reply)
		}, weir.WithFallback("claude-haiku-4-5", "claude-haiku-3-5"),
			weir.WithBudgets(weir.Budget{Name: "daily", Limit: call.Dollar / 1000, Period: "day", Zone: "Asia/Shanghai", Each: "tenant", Soft: 2, Degrade: true}))
		running(t, h.gateway)
		step := func(tenant string) (*http.Response, string) {
			resp, body := h.post(t, request, "Weir-Tenant", tenant)
			time.Sleep(2 * time.Second) // a look for warnings
			return resp, body
		}
		if resp, _ := step("amber"); resp.StatusCode != 200 || resp.Header.Get("Weir-Degraded") != "" {
			t.Errorf("first: %d %v", resp.StatusCode, resp.Header)
		}
		reply = strings.Replace(answer, `"output_tokens":3`, `"output_tokens":300`, 1)
		resp, _ := step("amber") // 2.4 % are spent
		if resp.StatusCode != 200 || resp.Header.Get("Weir-Degraded") != "fallback; from=claude-haiku-4-5" || resp.Header.Get("Weir-Warning") != "budget at 97%; until=2000-01-01T16:00:00Z" {
			t.Errorf("above the soft level: %d %v", resp.StatusCode, resp.Header)
		}
		resp, body := step("amber") // it has cost more than was foreseen, and is booked all the same
		var e struct {
			Error struct {
				Type    string
				Details struct {
					Code string `json:"error_code"`
					Weir struct {
						Scope, Limit, Who string
						RetryAt           time.Time `json:"retry_at"`
					}
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Fatal(err)
		}
		d := e.Error.Details
		if resp.StatusCode != 429 || e.Error.Type != "rate_limit_error" || d.Code != "budget_spent" || d.Weir.Scope != "gateway" || d.Weir.Limit != "daily" ||
			d.Weir.Who != "admin" || time.Until(d.Weir.RetryAt).Round(time.Minute) != 16*time.Hour || resp.Header.Get("X-Should-Retry") != "false" || resp.Header.Get("Retry-After") != "" {
			t.Errorf("spent: %d %v %s", resp.StatusCode, resp.Header, body)
		}
		if resp, _ := step("birch"); resp.StatusCode != 200 {
			t.Errorf("another tenant: %d", resp.StatusCode)
		}
		if got := strings.Join(asked, " "); got != "claude-haiku-4-5 claude-haiku-3-5 claude-haiku-4-5" {
			t.Error(got)
		}
		for _, b := range h.gateway.Budgets() {
			if b.Subject == "amber" && (b.Level != "spent" || b.Reserved != 0) {
				t.Errorf("%+v", b)
			}
		}
		time.Sleep(16 * time.Hour)
		if resp, _ := step("amber"); resp.StatusCode != 200 || resp.Header.Get("Weir-Degraded") != "" {
			t.Errorf("the next day: %d %v", resp.StatusCode, resp.Header)
		}
	})
}

// TestSoftBudgetsSpareTheProtected: what the ladder never makes simpler, a budget
// above its soft level does not either.
func TestSoftBudgetsSpareTheProtected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, answer) },
			weir.WithFallback("claude-haiku-4-5", "claude-haiku-3-5"), weir.WithLadder(weir.Ladder{Tenants: []string{"core"}}),
			weir.WithBudgets(weir.Budget{Name: "daily", Limit: call.Dollar / 1000, Period: "day", Each: "tenant", Soft: 1, Degrade: true}))
		for tenant, want := range map[string]string{"core": "", "other": "fallback; from=claude-haiku-4-5"} {
			h.post(t, request, "Weir-Tenant", tenant) // more than a hundredth
			if resp, _ := h.post(t, request, "Weir-Tenant", tenant); resp.StatusCode != 200 || resp.Header.Get("Weir-Degraded") != want {
				t.Errorf("%s: %d, marked %q, want %q", tenant, resp.StatusCode, resp.Header.Get("Weir-Degraded"), want)
			}
		}
	})
}

// TestLastMinuteOfABudget: shortly before it starts anew a client is told to
// come back.
func TestLastMinuteOfABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, strings.Replace(answer, `"output_tokens":3`, `"output_tokens":300`, 1))
		}, weir.WithBudgets(weir.Budget{Name: "daily", Limit: call.Dollar / 1000, Period: "day"}))
		h.post(t, request)
		time.Sleep(24*time.Hour - 30*time.Second)
		resp, _ := h.post(t, request)
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "30" || resp.Header.Get("X-Should-Retry") != "" {
			t.Errorf("%d %v", resp.StatusCode, resp.Header)
		}
		time.Sleep(30 * time.Second)
		if resp, _ := h.post(t, request); resp.StatusCode != 200 {
			t.Errorf("in the new day: %d", resp.StatusCode)
		}
	})
}

// TestErrorsCostNothing: attempts that fail leave a budget as it was, whatever
// is sent again; only the answer is booked.
func TestErrorsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			if n++; n < 3 {
				w.WriteHeader([]int{http.StatusServiceUnavailable, http.StatusTooManyRequests}[n-1])
				return
			}
			io.WriteString(w, answer)
		}, weir.WithBudgets(weir.Budget{Name: "daily", Limit: call.Dollar, Period: "day"}))
		if resp, _ := h.post(t, request); resp.StatusCode != 200 {
			t.Fatal(resp.StatusCode)
		}
		if b := h.gateway.Budgets()[0]; b.Spent != 9*1_000_000+3*5_000_000 || b.Reserved != 0 {
			t.Errorf("%+v", b)
		}
	})
}

func TestBudgetsAreChecked(t *testing.T) {
	for name, b := range map[string]weir.Budget{
		"no-name": {Limit: 1, Period: "day"}, "no-limit": {Name: "a", Period: "day"}, "no-period": {Name: "a", Limit: 1},
		"zone": {Name: "a", Limit: 1, Period: "day", Zone: "Atlantis"}, "each": {Name: "a", Limit: 1, Period: "day", Each: "key"},
		"soft": {Name: "a", Limit: 1, Period: "day", Soft: 101}, "degrade": {Name: "a", Limit: 1, Period: "day", Degrade: true},
	} {
		if _, err := weir.New(weir.WithBudgets(b)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

package reconcile_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/reconcile"
)

var day = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// TestRead reads reports as the API's documents show them, over two pages.
func TestRead(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Header.Get("X-Api-Key") != "sk-ant-admin01-x" || q.Get("starting_at") != "2026-11-23T00:00:00Z" || q.Get("ending_at") != "2026-11-25T00:00:00Z" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		const usage = `{"uncached_input_tokens":1500,"cache_creation":{"ephemeral_1h_input_tokens":1000,"ephemeral_5m_input_tokens":500},"cache_read_input_tokens":200,"output_tokens":500,"server_tool_use":{"web_search_requests":10},"model":"claude-haiku-4-5-20251001","service_tier":"standard"}`
		page := `{"data":[{"starting_at":"2026-11-23T00:00:00Z","ending_at":"2026-11-24T00:00:00Z","results":[` + usage + `,` + usage + `]}],"has_more":true,"next_page":"page_2"}`
		switch {
		case strings.HasSuffix(r.URL.Path, "cost_report"):
			page = `{"data":[{"starting_at":"2026-11-23T00:00:00Z","results":[{"currency":"USD","amount":"123.78912","model":"claude-haiku-4-5-20251001"},{"amount":"-0.5","model":"claude-haiku-4-5-20251001"},{"amount":"2","model":null}]}],"has_more":false,"next_page":null}`
		case q.Get("page") == "page_2":
			page = `{"data":[{"starting_at":"2026-11-24T00:00:00Z","results":[]}],"has_more":false,"next_page":null}`
		}
		_, _ = w.Write([]byte(page))
	}))
	defer api.Close()
	c := reconcile.New(reconcile.Config{Upstream: api.URL + "/v1/", Key: call.NewSecret("sk-ant-admin01-x")})
	got, err := c.Read(t.Context(), day, day.AddDate(0, 0, 1))
	want := reconcile.Figures{Input: 3000, CacheRead: 400, CacheWrite: 3000, Output: 1000, Cost: 1_232_891_200_000}
	if haiku := got[reconcile.Key{Day: "2026-11-23", Model: "claude-haiku-4-5"}]; err != nil || len(got) != 2 || haiku != want || got[reconcile.Key{Day: "2026-11-23"}].Cost != 20_000_000_000 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := c.Read(t.Context(), day, day); !errors.Is(err, reconcile.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestCompare(t *testing.T) {
	key := reconcile.Key{Day: "2026-11-23", Model: "m"}
	side := func(output call.Tokens, cost call.USD) map[reconcile.Key]reconcile.Figures {
		return map[reconcile.Key]reconcile.Figures{key: {Output: output, Cost: cost}}
	}
	for name, tt := range map[string]struct {
		ours, theirs map[reconcile.Key]reconcile.Figures
		doubt        reconcile.Doubt
		why          []string // beginnings
	}{
		"the-same":   {side(5, 7), side(5, 7), reconcile.Doubt{Estimated: 3, Running: true, Elsewhere: true, Unpriced: 1}, nil},
		"more":       {side(5, 7), side(6, 9), reconcile.Doubt{}, []string{"more was used"}},
		"nobody":     {nil, side(6, 9), reconcile.Doubt{Elsewhere: true}, []string{"more was used", "keys without"}},
		"less":       {side(5, 7), side(4, 6), reconcile.Doubt{Estimated: 1, Running: true}, []string{"the usage of some", "the reports lag", "more was booked"}},
		"price":      {side(5, 7), side(5, 6), reconcile.Doubt{Estimated: 1}, []string{"the same tokens"}},
		"no-price":   {side(5, 7), side(5, 6), reconcile.Doubt{Unpriced: 1}, []string{"the price of a model", "the same tokens"}},
		"nothing-is": {nil, nil, reconcile.Doubt{}, nil},
	} {
		r := reconcile.Compare(tt.ours, tt.theirs, tt.doubt)
		if len(r.Why) != len(tt.why) || r.Differs() != (len(tt.why) > 0) {
			t.Errorf("%s: %q, differs %t", name, r.Why, r.Differs())
			continue
		}
		for i, want := range tt.why {
			if !strings.HasPrefix(r.Why[i], want) {
				t.Errorf("%s: %q, want %q", name, r.Why[i], want)
			}
		}
	}
}

package dash

import (
	"cmp"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// requestView is one finished call as /api/v1/requests shows it.
type requestView struct {
	ID       string       `json:"id"`
	At       time.Time    `json:"at"`
	Endpoint string       `json:"endpoint"`
	Model    string       `json:"model"`
	Tenant   string       `json:"tenant"`
	Class    string       `json:"class"`
	Stream   bool         `json:"stream"`
	Status   int          `json:"status"`
	Outcome  string       `json:"outcome"`
	Reason   string       `json:"reason,omitempty"`
	Waited   float64      `json:"waited_s"`
	Took     float64      `json:"took_s"`
	FirstIn  float64      `json:"first_in_s"`
	Attempts int          `json:"attempts"`
	Estimate estimateView `json:"estimate"`
	Usage    usageView    `json:"usage"`
	Degraded string       `json:"degraded,omitempty"` // the header weir-degraded
	Cached   string       `json:"cache,omitempty"`    // the header weir-cache; absent: off
	Cost     string       `json:"cost_usd,omitempty"` // decimal; absent: unknown
}

type estimateView struct {
	Input  call.Tokens `json:"input_tokens"`
	Output call.Tokens `json:"output_tokens"`
	Spread float64     `json:"spread"` // relative standard error of Input
}

type usageView struct {
	Input      call.Tokens `json:"input_tokens"`
	CacheWrite call.Tokens `json:"cache_write_tokens"`
	CacheRead  call.Tokens `json:"cache_read_tokens"`
	Output     call.Tokens `json:"output_tokens"`
	Exact      bool        `json:"exact"`
}

func view(e call.Event) requestView {
	v := requestView{
		ID: e.ID, At: e.At, Endpoint: endpointName(e.Endpoint), Model: e.Model,
		Tenant: e.Tenant, Class: e.Class.String(), Stream: e.Stream,
		Status: e.Status, Outcome: e.Outcome, Reason: e.Reason,
		Waited: e.Waited.Seconds(), Took: e.Took.Seconds(), FirstIn: e.FirstIn.Seconds(),
		Attempts: e.Attempts,
		Estimate: estimateView{Input: e.Estimate.Input, Output: e.Estimate.Output, Spread: e.Estimate.Spread},
		Usage: usageView{
			Input: e.Usage.Input, CacheWrite: e.Usage.CacheWrite,
			CacheRead: e.Usage.CacheRead, Output: e.Usage.Output, Exact: e.Usage.Exact,
		},
		Degraded: e.Degraded.String(),
	}
	if e.Cached != call.CacheNotAsked {
		v.Cached = e.Cached.String()
	}
	if e.Priced {
		v.Cost = e.Cost.String()
	}
	return v
}

func endpointName(e call.Endpoint) string {
	switch e {
	case call.Messages:
		return "messages"
	case call.CountTokens:
		return "count_tokens"
	}
	return "other"
}

// latest returns at most n events, newest first.
func latest(events []call.Event, n int) []requestView {
	sorted := slices.SortedFunc(slices.Values(events), func(a, b call.Event) int {
		return b.At.Compare(a.At)
	})
	out := make([]requestView, 0, min(n, len(sorted)))
	for _, e := range sorted[:min(n, len(sorted))] {
		out = append(out, view(e))
	}
	return out
}

// tally counts the calls of the last minute, as far back as the source still
// knows them. Waits are those of answered calls to a metered endpoint.
type tally struct {
	WindowS     float64 `json:"window_s"`
	Answered    int     `json:"answered"`
	Refused     int     `json:"refused"`
	Failed      int     `json:"failed"`
	Gone        int     `json:"client_gone"`
	RateLimited int     `json:"status_429"` // that clients saw
	Retried     int     `json:"retried"`    // answered or not, with more than one attempt
	WaitP50     float64 `json:"wait_p50_s"`
	WaitP95     float64 `json:"wait_p95_s"`
	Input       int64   `json:"input_tokens"`
	Output      int64   `json:"output_tokens"`
	CacheRead   int64   `json:"cache_read_tokens"`  // from the upstream's prompt cache
	CacheWrite  int64   `json:"cache_write_tokens"` // into it; part of Input

	Degraded []degradedTally `json:"degraded"` // the most frequent first, at most maxDegraded
}

// degradedTally counts the answers that were made simpler in one way.
type degradedTally struct {
	Rung string `json:"rung"`
	From string `json:"from"` // the model that was asked for
	To   string `json:"to"`   // the one that answered
	N    int    `json:"n"`
}

const maxDegraded = 8

const tallyWindow = time.Minute

func count(events []call.Event, now time.Time) tally {
	t := tally{WindowS: tallyWindow.Seconds(), Degraded: []degradedTally{}}
	degraded := map[degradedTally]int{}
	var waits []time.Duration
	for _, e := range events {
		if now.Sub(e.At) > tallyWindow {
			continue
		}
		switch e.Outcome {
		case "ok":
			t.Answered++
			if e.Endpoint != call.Other {
				waits = append(waits, e.Waited)
			}
		case "refused":
			t.Refused++
		case "client_gone":
			t.Gone++
		default:
			t.Failed++
		}
		if e.Status == 429 {
			t.RateLimited++
		}
		if e.Attempts > 1 {
			t.Retried++
		}
		t.Input += int64(e.Usage.Charged())
		t.Output += int64(e.Usage.Output)
		t.CacheRead += int64(e.Usage.CacheRead)
		t.CacheWrite += int64(e.Usage.CacheWrite)
		if e.Degraded.Rung != "" {
			degraded[degradedTally{Rung: e.Degraded.Rung, From: e.Degraded.From, To: e.Model}]++
		}
	}
	for d, n := range degraded {
		d.N = n
		t.Degraded = append(t.Degraded, d)
	}
	slices.SortFunc(t.Degraded, func(a, b degradedTally) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.From+a.To+a.Rung, b.From+b.To+b.Rung))
	})
	t.Degraded = t.Degraded[:min(maxDegraded, len(t.Degraded))]
	slices.SortFunc(waits, cmp.Compare[time.Duration])
	if n := len(waits); n > 0 {
		t.WaitP50 = waits[(n-1)/2].Seconds()
		t.WaitP95 = waits[(n*95+99)/100-1].Seconds()
	}
	return t
}

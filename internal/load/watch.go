package load

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Limit is what the rate-limit headers of one limiter said.
type Limit struct {
	Limiter string  `json:"limiter"` // requests, input-tokens or output-tokens, as the headers say
	Limit   int64   `json:"limit"`   // per minute, the latest
	Lowest  int64   `json:"lowest"`  // the least that remained
	Share   float64 `json:"share"`   // Lowest ÷ the limit of that answer
}

// Watch is a transport that reads the anthropic-ratelimit-* headers of all
// answers. It is safe for concurrent use.
type Watch struct {
	next http.RoundTripper // Static after NewWatch.

	mu     sync.Mutex
	limits [len(watched)]Limit // Guarded by mu.
	step   [len(watched)]Limit // Guarded by mu; since the last Take.
}

var watched = [...]string{"requests", "input-tokens", "output-tokens"}

// NewWatch returns a watch on what next brings.
func NewWatch(next http.RoundTripper) *Watch {
	return &Watch{next: next, limits: unseen(), step: unseen()}
}

func unseen() (limits [len(watched)]Limit) {
	for i, name := range watched {
		limits[i] = Limit{Limiter: name, Share: math.Inf(1)}
	}
	return limits
}

// RoundTrip implements [http.RoundTripper].
func (w *Watch) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(req)
	if err == nil {
		w.read(resp.Header)
	}
	return resp, err
}

func (w *Watch) read(h http.Header) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, name := range watched {
		prefix := "anthropic-ratelimit-" + name
		limit, err := strconv.ParseInt(h.Get(prefix+"-limit"), 10, 64)
		left, err2 := strconv.ParseInt(h.Get(prefix+"-remaining"), 10, 64)
		if err != nil || err2 != nil || limit <= 0 {
			continue // any group may be missing
		}
		w.limits[i].see(limit, left)
		w.step[i].see(limit, left)
	}
}

func (l *Limit) see(limit, left int64) {
	l.Limit = limit
	if share := float64(left) / float64(limit); share < l.Share {
		l.Lowest, l.Share = left, share
	}
}

// Limits returns the limiters that were seen.
func (w *Watch) Limits() []Limit {
	w.mu.Lock()
	defer w.mu.Unlock()
	return seen(w.limits)
}

// Take returns the limiters that were seen since the last Take.
func (w *Watch) Take() []Limit {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := seen(w.step)
	w.step = unseen()
	return out
}

func seen(limits [len(watched)]Limit) []Limit {
	var out []Limit
	for _, l := range limits {
		if l.Limit > 0 {
			out = append(out, l)
		}
	}
	return out
}

// String says on one line what was left of each.
func (w *Watch) String() string {
	var parts []string
	for _, l := range w.Limits() {
		parts = append(parts, strings.TrimSuffix(l.Limiter, "-tokens")+" "+strconv.Itoa(int(100*l.Share))+" %")
	}
	return strings.Join(parts, ", ")
}

// Sustained is how many requests like those of r a second the limits allow for
// long, when what the buckets had saved is spent, and which limiter holds them
// there. It is 0 if no limit was seen or nothing was answered.
func Sustained(limits []Limit, r Report) (perSecond float64, limiter string) {
	for _, l := range limits {
		each := map[string]float64{
			"requests": 1, "input-tokens": float64(r.InputTokens) / float64(max(r.OK, 1)),
			"output-tokens": float64(r.OutputTokens) / float64(max(r.OK, 1)),
		}[l.Limiter]
		if each <= 0 || r.OK == 0 {
			continue
		}
		if rate := float64(l.Limit) / 60 / each; limiter == "" || rate < perSecond {
			perSecond, limiter = rate, l.Limiter
		}
	}
	return perSecond, limiter
}

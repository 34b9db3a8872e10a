// Package ledger writes down what every attempt cost that reached the upstream:
// who asked, which key paid, how many tokens and how much money, and what became
// of it.
//
// A row goes into a journal first, by one write to a file, so that a process
// that is killed the next instant loses none; from there a batch at a time into
// the store: an embedded database, or PostgreSQL for several gateways. None is
// there twice. Reports add what the journal has and the store lacks.
package ledger

import (
	"cmp"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Row is one attempt. The usage of a call is booked with its last attempt; one
// before it has usage of its own where it may have been charged although nobody
// got its answer. An answer that came out of the cache is a row with attempt 0,
// which used and cost nothing.
type Row struct {
	Call     string    `json:"call"`    // weir-request-id
	Attempt  int       `json:"attempt"` // from 1; 0: answered without the upstream
	Final    bool      `json:"final,omitempty"`
	At       time.Time `json:"at"`                // when it was sent
	Gateway  string    `json:"gateway,omitempty"` // whose row it is, where several write into one store
	Tenant   string    `json:"tenant"`
	Client   string    `json:"client,omitempty"` // whose token let it in
	Key      string    `json:"key"`              // its name
	Model    string    `json:"model"`
	Class    string    `json:"class"`
	Stream   bool      `json:"stream,omitempty"`
	Status   int       `json:"status"`
	Kind     string    `json:"kind"`              // what the upstream made of the attempt
	Outcome  string    `json:"outcome,omitempty"` // what became of the call
	Waited   int64     `json:"waited_ms,omitempty"`
	Took     int64     `json:"took_ms"`
	Degraded string    `json:"degraded,omitempty"`
	Cached   string    `json:"cached,omitempty"` // what the gateway's own cache did: miss, hit or join

	Input      call.Tokens `json:"input_tokens,omitempty"`
	CacheWrite call.Tokens `json:"cache_write_tokens,omitempty"`
	HourWrite  call.Tokens `json:"hour_write_tokens,omitempty"` // the part of CacheWrite that lives for an hour
	CacheRead  call.Tokens `json:"cache_read_tokens,omitempty"`
	Output     call.Tokens `json:"output_tokens,omitempty"`
	Searches   int64       `json:"web_searches,omitempty"`
	Exact      bool        `json:"exact,omitempty"`    // the upstream said so
	Cost       call.USD    `json:"cost_usd,omitempty"` // by the price table
	Priced     bool        `json:"priced,omitempty"`   // the table knows the model
}

// rowsOf turns a finished call into rows. A call that was never sent has none,
// but for one that was answered out of the cache. One that was split has those
// of what was sent of it as a whole; its parts have theirs.
func rowsOf(e call.Event) []Row {
	blank := Row{
		Call: e.ID, At: e.At.Add(-e.Took).UTC(), Tenant: e.Tenant, Client: e.Client, Model: e.Model,
		Class: e.Class.String(), Stream: e.Stream, Cached: cachedOf(e),
	}
	rows := make([]Row, 0, 1)
	for _, a := range e.Story {
		if !a.Sent() {
			continue // a wait that led to nothing
		}
		r := blank
		r.Attempt, r.At, r.Key, r.Status, r.Kind = len(rows)+1, a.At.UTC(), a.Key, a.Status, a.Kind
		r.Model = cmp.Or(a.Model, e.Model)
		r.Waited, r.Took = a.Wait.Took.Milliseconds(), a.Took.Milliseconds()
		r.use(a.Usage, a.Cost, a.Priced)
		rows = append(rows, r)
	}
	if len(rows) == 0 {
		if e.Parts > 0 || e.Cached != call.CacheHit && e.Cached != call.CacheJoin {
			return nil
		}
		blank.Status, blank.Kind, blank.Exact = e.Status, e.Cached.String(), true
		rows = append(rows, blank)
	}
	last := &rows[len(rows)-1]
	last.Final, last.Outcome, last.Degraded = true, e.Outcome, e.Degraded.String()
	last.Took = max(last.Took, e.At.Sub(last.At).Milliseconds())
	if e.Usage != (call.Usage{}) && last.Attempt > 0 { // else that of the attempt holds
		last.use(e.Usage, e.Cost, e.Priced)
	}
	return rows
}

// cachedOf is the word for what the cache did; where it was not asked, there is
// none.
func cachedOf(e call.Event) string {
	if e.Cached == call.CacheNotAsked {
		return ""
	}
	return e.Cached.String()
}

func (r *Row) use(u call.Usage, cost call.USD, priced bool) {
	r.Input, r.CacheWrite, r.HourWrite, r.CacheRead, r.Output = u.Input, u.CacheWrite, u.HourWrite, u.CacheRead, u.Output
	r.Searches, r.Exact, r.Cost, r.Priced = u.Searches, u.Exact, cost, priced
}

// Dimension is what sums can be split by.
type Dimension string

// The dimensions, which are the columns of a report.
const (
	ByDay    Dimension = "day" // UTC
	ByTenant Dimension = "tenant"
	ByModel  Dimension = "model"
	ByKey    Dimension = "key"
	ByClass  Dimension = "class"
)

// ParseDimensions reads a list such as "tenant,model,day". An empty one is no
// dimension at all.
func ParseDimensions(s string) ([]Dimension, error) {
	var list []Dimension
	for word := range strings.SplitSeq(s, ",") {
		d := Dimension(strings.TrimSpace(word))
		switch d {
		case "":
			continue
		case ByDay, ByTenant, ByModel, ByKey, ByClass:
			list = append(list, d)
		default:
			return nil, errDimension(word)
		}
	}
	return list, nil
}

type errDimension string

func (e errDimension) Error() string {
	return "cannot split by " + strings.TrimSpace(string(e)) + ": choose from day, tenant, model, key, class"
}

// group is a combination of all dimensions' values.
type group struct{ Day, Tenant, Model, Key, Class string }

func (r *Row) group() group {
	return group{r.At.UTC().Format(time.DateOnly), r.Tenant, r.Model, r.Key, r.Class}
}

// Sum adds up rows. Its JSON is that of weir usage (DESIGN §2.1).
type Sum struct {
	Requests   int64       `json:"requests"` // calls that reached the upstream, however often they were sent
	Attempts   int64       `json:"attempts"`
	Cached     int64       `json:"cached,omitempty"`   // further calls, answered out of the gateway's own cache
	Degraded   int64       `json:"degraded,omitempty"` // calls of both kinds that were made simpler
	Input      call.Tokens `json:"input_tokens"`       // uncached
	CacheRead  call.Tokens `json:"cache_read_tokens"`
	CacheWrite call.Tokens `json:"cache_write_tokens"`
	Output     call.Tokens `json:"output_tokens"`
	Cost       call.USD    `json:"cost_usd"`
}

func (s *Sum) count(r *Row) {
	if r.Final && r.Degraded != "" {
		s.Degraded++
	}
	if r.Attempt == 0 {
		s.Cached++
		return
	}
	s.Attempts++
	if r.Final {
		s.Requests++
	}
	s.Input += r.Input
	s.CacheRead += r.CacheRead
	s.CacheWrite += r.CacheWrite
	s.Output += r.Output
	s.Cost += r.Cost
}

func (s *Sum) add(o Sum) {
	s.Requests += o.Requests
	s.Attempts += o.Attempts
	s.Cached += o.Cached
	s.Degraded += o.Degraded
	s.Input += o.Input
	s.CacheRead += o.CacheRead
	s.CacheWrite += o.CacheWrite
	s.Output += o.Output
	s.Cost += o.Cost
}

// Package ledger writes down what every attempt cost that reached the upstream:
// who asked, which key paid, how many tokens and how much money, and what became
// of it.
//
// A row goes into a journal first, by one write to a file, so that a process
// that is killed the next instant loses none; from there a batch at a time into
// a [Store], together with the place in the journal that it came from, so that
// none is there twice. Reports add what the journal has and the store lacks.
package ledger

import (
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Row is one attempt. Its usage and cost are those of the call, booked with the
// last attempt; the ones before it have none.
type Row struct {
	Call     string    `json:"call"`    // weir-request-id
	Attempt  int       `json:"attempt"` // from 1
	Final    bool      `json:"final,omitempty"`
	At       time.Time `json:"at"` // when it was sent
	Tenant   string    `json:"tenant"`
	Key      string    `json:"key"` // its name
	Model    string    `json:"model"`
	Class    string    `json:"class"`
	Stream   bool      `json:"stream,omitempty"`
	Status   int       `json:"status"`
	Kind     string    `json:"kind"`              // what the upstream made of the attempt
	Outcome  string    `json:"outcome,omitempty"` // what became of the call
	Waited   int64     `json:"waited_ms,omitempty"`
	Took     int64     `json:"took_ms"`
	Degraded string    `json:"degraded,omitempty"`

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

// rowsOf turns a finished call into rows. Calls that were never sent have none.
func rowsOf(e call.Event) []Row {
	rows := make([]Row, 0, 1)
	for _, a := range e.Story {
		if a.Status == 0 && a.Kind != call.Unreachable.String() {
			continue // a wait that led to nothing
		}
		rows = append(rows, Row{
			Call: e.ID, Attempt: len(rows) + 1, At: a.At.UTC(), Tenant: e.Tenant, Key: a.Key, Model: e.Model,
			Class: e.Class.String(), Stream: e.Stream, Status: a.Status, Kind: a.Kind,
			Waited: a.Wait.Took.Milliseconds(), Took: a.Took.Milliseconds(),
		})
	}
	if len(rows) == 0 {
		return nil
	}
	last, u := &rows[len(rows)-1], e.Usage
	last.Final, last.Outcome, last.Degraded = true, e.Outcome, e.Degraded.String()
	last.Took = max(last.Took, e.At.Sub(last.At).Milliseconds())
	last.Input, last.CacheWrite, last.HourWrite, last.CacheRead, last.Output = u.Input, u.CacheWrite, u.HourWrite, u.CacheRead, u.Output
	last.Searches, last.Exact, last.Cost, last.Priced = u.Searches, u.Exact, e.Cost, e.Priced
	return rows
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
	Requests   int64       `json:"requests"` // calls, however often they were sent
	Attempts   int64       `json:"attempts"`
	Input      call.Tokens `json:"input_tokens"` // uncached
	CacheRead  call.Tokens `json:"cache_read_tokens"`
	CacheWrite call.Tokens `json:"cache_write_tokens"`
	Output     call.Tokens `json:"output_tokens"`
	Cost       call.USD    `json:"cost_usd"`
}

func (s *Sum) count(r *Row) {
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
	s.Input += o.Input
	s.CacheRead += o.CacheRead
	s.CacheWrite += o.CacheWrite
	s.Output += o.Output
	s.Cost += o.Cost
}

package load

import (
	"cmp"
	"strconv"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// statusOverloaded is Anthropic's own status for "busy".
const statusOverloaded = 529

// Outcome is how a request ended for its user.
type Outcome uint8

// The outcomes.
const (
	OK      Outcome = iota // answered in full
	Refused                // an error status
	Broken                 // no answer, or one that broke off
	Cut                    // still under way when the run ended; counted nowhere else
	Left                   // the user's patience was over; counted nowhere else
)

// String returns the word for o.
func (o Outcome) String() string {
	return [...]string{"ok", "refused", "broken", "cut", "left"}[o]
}

// Record is one request as its user saw it, retries of the client included.
type Record struct {
	Agent    int
	Tenant   string
	Class    string
	Model    string
	Stream   bool
	Size     call.Tokens // input aimed for, cached part included
	Start    time.Time   // of the first attempt
	Took     time.Duration
	First    time.Duration // to the first content of a stream; 0: there was none
	Wait     time.Duration // not being served: held by Weir, or between the client's own attempts
	Attempts int
	Retried  []int // status of each attempt that the client tried again
	Status   int   // that the user saw; 0 = no answer; an error in a stream counts as its type's
	Outcome  Outcome
	Err      string // what went wrong, shortened
	Usage    call.Usage
}

// End is when the user had the answer, or gave up.
func (r *Record) End() time.Time { return r.Start.Add(r.Took) }

// finish fills in what the last attempt, sent at the given time, brought.
func (r *Record) finish(a answer, sent time.Time) {
	r.Took = time.Since(r.Start)
	r.Status, r.Outcome, r.Usage = a.status, a.outcome, a.usage
	if !a.token.IsZero() {
		r.First = a.token.Sub(r.Start)
	}
	if a.err != nil {
		msg := a.err.Error()
		r.Err = msg[:min(len(msg), 200)]
	}
	r.Wait = sent.Sub(r.Start)
	ms, err := strconv.ParseFloat(a.header.Get("weir-wait-ms"), 64)
	held := time.Duration(ms * float64(time.Millisecond))
	if a.pinged { // the header was sent before the wait was over
		held = max(held, a.first.Sub(sent))
	}
	if err == nil || a.pinged {
		r.Wait += held
	}
}

// unpaid ends a request whose next attempt the purse did not allow. It never
// was one if that was the first; else its user saw what the last one brought.
func (r *Record) unpaid(at time.Time) {
	r.Took, r.Outcome, r.Err = at.Sub(r.Start), Cut, errSpent.Error()
	if n := len(r.Retried); n > 0 {
		r.Status, r.Outcome = r.Retried[n-1], Refused
		r.Retried = r.Retried[:n-1]
	}
}

// Recorder keeps what became of the requests of one side. It is safe for
// concurrent use, and bounded: when full, the oldest records give way.
type Recorder struct {
	mu       sync.Mutex
	max      int      // Static after New.
	ring     []Record // Guarded by mu; full once len is max.
	oldest   int      // Guarded by mu; index in ring, once full.
	inFlight int      // Guarded by mu.
	dropped  int      // Guarded by mu; arrivals that found no slot.
	lost     int      // Guarded by mu; records that gave way.
}

// NewRecorder returns a recorder of at most maxRecords (200,000 if 0).
func NewRecorder(maxRecords int) *Recorder {
	return &Recorder{max: cmp.Or(maxRecords, 200_000)}
}

// InFlight returns the number of requests under way.
func (r *Recorder) InFlight() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.inFlight
}

// Records returns what is kept, oldest first.
func (r *Recorder) Records() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Record, 0, len(r.ring))
	out = append(out, r.ring[r.oldest:]...)
	return append(out, r.ring[:r.oldest]...)
}

func (r *Recorder) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight++
}

func (r *Recorder) end(rec Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight--
	if len(r.ring) < r.max {
		r.ring = append(r.ring, rec)
		return
	}
	r.ring[r.oldest] = rec
	r.oldest = (r.oldest + 1) % r.max
	r.lost++
}

func (r *Recorder) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped++
}

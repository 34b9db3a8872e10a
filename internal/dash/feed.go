package dash

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

const (
	feedEvery     = 500 * time.Millisecond
	feedListeners = 64               // more are told to come back
	feedPatience  = 10 * time.Second // for a listener to take one event
	feedRequests  = 30               // newest requests in each snapshot
	feedWarnings  = 30               // most urgent warnings, which come with their words
	feedWaiters   = 60               // waiting calls, and tenants, in each snapshot, but one of each lane
	feedRows      = 12               // of each list of a report on money
	feedPlaces    = 5                // of each rung of the ladder
)

// snapshot is one event of /api/v1/events: the whole picture, so that a
// listener that missed some has missed nothing.
type snapshot struct {
	At          time.Time             `json:"at"`
	Version     string                `json:"version"`
	Quota       call.QuotaReport      `json:"quota"`
	Queue       call.QueueReport      `json:"queue"`
	Protection  call.ProtectionReport `json:"protection"`
	Degradation call.LadderReport     `json:"degradation"`
	Warnings    []warningView         `json:"warnings"`
	Recent      tally                 `json:"recent"`
	Requests    []requestView         `json:"requests"`
	Money       *call.MoneyReport     `json:"money,omitempty"`
	Cache       *call.CacheReport     `json:"cache,omitempty"`

	Prompt *call.PromptCacheReport `json:"prompt_cache,omitempty"` // nil while it has done nothing
}

// snapshot returns the picture of now as one server-sent event.
func (a *Admin) snapshot() []byte {
	now, events := time.Now(), a.recent()
	s := snapshot{
		At:          now,
		Version:     a.src.Version,
		Quota:       a.quotaReport(),
		Queue:       brief(a.queueReport()),
		Protection:  a.protectionReport(),
		Degradation: firstPlaces(a.ladderReport()),
		Warnings:    a.warningViews(feedWarnings),
		Recent:      count(events, now),
		Requests:    latest(events, feedRequests),
	}
	if a.src.Money != nil {
		s.Money = new(firstRows(a.src.Money()))
	}
	if a.src.Cache != nil {
		s.Cache = new(a.src.Cache())
	}
	if a.src.Prompt != nil {
		if r := a.src.Prompt(); r.Calls > 0 {
			s.Prompt = &r
		}
	}
	body, err := json.Marshal(s)
	name := "snapshot"
	if err != nil {
		name = "fault"
		body, _ = json.Marshal(err.Error())
	}
	out := make([]byte, 0, len(body)+32)
	out = append(out, "event: "+name+"\ndata: "...)
	out = append(out, body...)
	return append(out, "\n\n"...)
}

// brief shortens the lists of waiting calls and tenants of many lanes:
// /api/v1/queue has them in full.
func brief(q call.QueueReport) call.QueueReport {
	each := max(1, feedWaiters/max(1, len(q.Lanes)))
	q.Lanes = slices.Clone(q.Lanes)
	for i := range q.Lanes {
		l := &q.Lanes[i]
		l.Next, l.Tenants = l.Next[:min(each, len(l.Next))], l.Tenants[:min(each, len(l.Tenants))]
	}
	return q
}

// firstRows shortens the lists of a report on money.
func firstRows(m call.MoneyReport) call.MoneyReport {
	for _, rows := range []*[]call.MoneyRow{&m.Tenants, &m.Models, &m.Days} {
		*rows = (*rows)[:min(feedRows, len(*rows))]
	}
	return m
}

// events streams snapshots for as long as the listener stays.
func (a *Admin) events(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if req.Method == http.MethodHead {
		return
	}
	inbox, ok := a.feed.join()
	if !ok {
		w.Header().Set("Retry-After", "5")
		fail(w, http.StatusServiceUnavailable, "too many listeners")
		return
	}
	defer a.feed.leave(inbox)
	rc := http.NewResponseController(w)
	for {
		select {
		case event := <-inbox:
			// Not every writer knows deadlines; one that does gets a new one
			// for each event, which also lifts the server's own.
			_ = rc.SetWriteDeadline(time.Now().Add(feedPatience))
			if _, err := w.Write(event); err != nil || rc.Flush() != nil {
				return
			}
		case <-req.Context().Done():
			return
		case <-a.src.Closing:
			return
		}
	}
}

// feed renders one event for all listeners at every tick, and ticks only while
// there are any.
type feed struct {
	// Static after newFeed.
	render func() []byte
	every  time.Duration
	max    int

	mu        sync.Mutex
	listeners map[chan []byte]struct{} // Guarded by mu.
	quit      chan struct{}            // Guarded by mu; ends the present ticker.
}

func newFeed(render func() []byte, every time.Duration, listeners int) *feed {
	return &feed{render: render, every: every, max: listeners, listeners: map[chan []byte]struct{}{}}
}

// join adds a listener, who finds the first event waiting, unless there are
// too many already.
func (f *feed) join() (chan []byte, bool) {
	inbox := make(chan []byte, 1)
	first := f.render()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.listeners) >= f.max {
		return nil, false
	}
	inbox <- first
	f.listeners[inbox] = struct{}{}
	if len(f.listeners) == 1 {
		f.quit = make(chan struct{})
		go f.tick(f.quit) // ended by the last leave
	}
	return inbox, true
}

// leave removes a listener.
func (f *feed) leave(inbox chan []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, inbox)
	if len(f.listeners) == 0 {
		close(f.quit)
	}
}

func (f *feed) tick(quit <-chan struct{}) {
	t := time.NewTicker(f.every)
	defer t.Stop()
	for {
		select {
		case <-quit:
			return
		case <-t.C:
			f.tell(f.render())
		}
	}
}

// tell puts event into every inbox, in the place of one that was not taken.
func (f *feed) tell(event []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for inbox := range f.listeners {
		select {
		case <-inbox:
		default:
		}
		inbox <- event // empty: only tell sends, and it holds mu
	}
}

package dash

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Half an hour of levels and queues is kept, so that a page that is opened anew
// shows what led here.
const (
	historyEvery  = 5 * time.Second
	historyPoints = 360
	historySeries = 512 // buckets, and as many lanes; later ones find no place until one has been silent for the whole time
)

// absent is the value of a series at an instant at which it did not exist.
const absent = math.MinInt64

// history keeps the latest samples of every bucket and lane, in at most
// historySeries × historyPoints × 3 numbers.
type history struct {
	mu      sync.Mutex                // guards everything below
	taken   int                       // samples, ever
	times   [historyPoints]int64      // ring, in Unix seconds
	buckets map[seriesName]*[2]series // level and limit
	lanes   map[seriesName]*series    // waiting
	seen    map[seriesName]int        // the last sample that had it
}

// seriesName names a bucket, or a lane if it has no limiter.
type seriesName struct{ organization, workspace, group, limiter string }

type series [historyPoints]int64

func newHistory() *history {
	return &history{buckets: map[seriesName]*[2]series{}, lanes: map[seriesName]*series{}, seen: map[seriesName]int{}}
}

// sample takes one sample of both reports.
func (h *history) sample(now time.Time, q call.QuotaReport, queue call.QueueReport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.taken % historyPoints
	h.taken++
	h.times[at] = now.Unix()
	h.blank(at)
	for _, b := range q.Buckets {
		name := seriesName{b.Organization, b.Workspace, b.Group, b.Limiter}
		s := h.buckets[name]
		if s == nil && len(h.buckets) < historySeries {
			s = &[2]series{empty(), empty()}
			h.buckets[name] = s
		}
		if s != nil {
			s[0][at], s[1][at], h.seen[name] = b.Remaining, b.Limit, h.taken
		}
	}
	for _, l := range queue.Lanes {
		name := seriesName{organization: l.Organization, group: l.Group}
		s := h.lanes[name]
		if s == nil && len(h.lanes) < historySeries {
			s = new(empty())
			h.lanes[name] = s
		}
		if s != nil {
			s[at], h.seen[name] = int64(l.Waiting), h.taken
		}
	}
}

// blank clears the place of the next sample, and drops what has none left.
func (h *history) blank(at int) {
	for name, last := range h.seen {
		if h.taken-last >= historyPoints {
			delete(h.buckets, name)
			delete(h.lanes, name)
			delete(h.seen, name)
		}
	}
	for _, s := range h.buckets {
		s[0][at], s[1][at] = absent, absent
	}
	for _, s := range h.lanes {
		s[at] = absent
	}
}

func empty() (s series) {
	for i := range s {
		s[i] = absent
	}
	return s
}

// historyView is the answer of /api/v1/history. All lists of a series have one
// value for each of Times; null where there was none.
type historyView struct {
	Every   float64       `json:"every_s"`
	Times   []int64       `json:"times"` // Unix seconds, the oldest first
	Buckets []bucketTrace `json:"buckets"`
	Lanes   []laneTrace   `json:"lanes"`
}

type bucketTrace struct {
	Organization string `json:"organization"`
	Workspace    string `json:"workspace"`
	Group        string `json:"group"`
	Limiter      string `json:"limiter"`
	Remaining    trace  `json:"remaining"`
	Limit        trace  `json:"limit"`
}

type laneTrace struct {
	Organization string `json:"organization"`
	Group        string `json:"group"`
	Waiting      trace  `json:"waiting"`
}

// trace writes an absent value as null.
type trace []int64

// MarshalJSON implements [json.Marshaler].
func (t trace) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 8*len(t)+2)
	out = append(out, '[')
	for i, n := range t {
		if i > 0 {
			out = append(out, ',')
		}
		if n == absent {
			out = append(out, "null"...)
		} else {
			out = strconv.AppendInt(out, n, 10)
		}
	}
	return append(out, ']'), nil
}

// view returns the series that wanted accepts.
func (h *history) view(wanted func(seriesName) bool) historyView {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := historyView{Every: historyEvery.Seconds(), Times: h.ordered(&h.times), Buckets: []bucketTrace{}, Lanes: []laneTrace{}}
	for name, s := range h.buckets {
		if wanted(name) {
			v.Buckets = append(v.Buckets, bucketTrace{
				name.organization, name.workspace, name.group, name.limiter, h.ordered((*[historyPoints]int64)(&s[0])), h.ordered((*[historyPoints]int64)(&s[1])),
			})
		}
	}
	for name, s := range h.lanes {
		if wanted(name) {
			v.Lanes = append(v.Lanes, laneTrace{name.organization, name.group, h.ordered((*[historyPoints]int64)(s))})
		}
	}
	slices.SortFunc(v.Buckets, func(a, b bucketTrace) int {
		return strings.Compare(a.Organization+"\x00"+a.Workspace+"\x00"+a.Group+"\x00"+a.Limiter, b.Organization+"\x00"+b.Workspace+"\x00"+b.Group+"\x00"+b.Limiter)
	})
	slices.SortFunc(v.Lanes, func(a, b laneTrace) int {
		return strings.Compare(a.Organization+"\x00"+a.Group, b.Organization+"\x00"+b.Group)
	})
	return v
}

// ordered copies what a ring holds, the oldest first.
func (h *history) ordered(ring *[historyPoints]int64) trace {
	if h.taken < historyPoints {
		return append(trace{}, ring[:h.taken]...)
	}
	at := h.taken % historyPoints
	return append(append(make(trace, 0, historyPoints), ring[at:]...), ring[:at]...)
}

// Run keeps the history until ctx is done. Without it the page has none but
// that of its own time.
func (a *Admin) Run(ctx context.Context) error {
	t := time.NewTicker(historyEvery)
	defer t.Stop()
	for {
		a.history.sample(time.Now(), a.quotaReport(), a.queueReport())
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// serveHistory answers with all series, or with those of one pool.
func (a *Admin) serveHistory(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	reply(w, http.StatusOK, a.history.view(func(n seriesName) bool {
		return (!q.Has("organization") || n.organization == q.Get("organization")) &&
			(!q.Has("workspace") || n.limiter == "" || n.workspace == q.Get("workspace")) &&
			(!q.Has("group") || n.group == q.Get("group"))
	}))
}

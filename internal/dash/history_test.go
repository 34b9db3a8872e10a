package dash

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
)

func TestHistoryKeepsTheLastHalfHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, level := source(), int64(0)
		src.Quota = func() call.QuotaReport {
			level++
			b := call.BucketReport{Organization: "org", Group: "sonnet", Limiter: "requests", Limit: 1000, Remaining: level}
			if level > 4 && level < 7 {
				return call.QuotaReport{} // it is gone for two samples
			}
			return call.QuotaReport{Buckets: []call.BucketReport{b}}
		}
		a := New(src)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		time.Sleep(9*historyEvery + time.Second)
		v := read(t, a, "/api/v1/history")
		if len(v.Times) != 10 || v.Times[9]-v.Times[0] != 45 || v.Every != 5 {
			t.Errorf("times %v", v.Times)
		}
		b := v.Buckets[0]
		if got := fmt.Sprint(text(b.Remaining), text(b.Limit)[3:6]); got != "[1 2 3 4 null null 7 8 9 10] [1000 null null]" {
			t.Errorf("levels and limits %s", got)
		}
		if len(v.Lanes) != 1 || *v.Lanes[0].Waiting[0] != 7 {
			t.Errorf("lanes %+v", v.Lanes)
		}
		time.Sleep(time.Hour)
		v = read(t, a, "/api/v1/history")
		if len(v.Times) != historyPoints || v.Times[historyPoints-1]-v.Times[0] != 5*(historyPoints-1) {
			t.Errorf("%d times", len(v.Times))
		}
		if got := *v.Buckets[0].Remaining[historyPoints-1] - *v.Buckets[0].Remaining[0]; got != historyPoints-1 {
			t.Errorf("the ring is out of order: %d", got)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestHistoryIsBounded(t *testing.T) {
	h := newHistory()
	crowd := func(from int) (q call.QuotaReport, queue call.QueueReport) {
		for i := range 2 * historySeries {
			group := fmt.Sprint("group", from+i)
			q.Buckets = append(q.Buckets, call.BucketReport{Group: group, Limiter: "requests", Limit: 1, Remaining: 1})
			queue.Lanes = append(queue.Lanes, call.LaneReport{Group: group, Waiting: 1})
		}
		return q, queue
	}
	q, queue := crowd(0)
	h.sample(time.Unix(0, 0), q, queue)
	q, queue = crowd(10_000)
	for i := range historyPoints + 2 {
		h.sample(time.Unix(int64(i), 0), q, queue)
		if len(h.buckets) > historySeries || len(h.lanes) > historySeries || len(h.seen) > 2*historySeries {
			t.Fatalf("%d buckets, %d lanes, %d names", len(h.buckets), len(h.lanes), len(h.seen))
		}
	}
	for name := range h.buckets {
		if name.group < "group10000" {
			t.Fatalf("%s is kept although it has been gone for the whole time", name.group)
		}
	}
}

func TestHistoryOfOnePool(t *testing.T) {
	a := New(source())
	for _, group := range []string{"a", "b"} {
		for _, limiter := range []string{"requests", "input_tokens"} {
			a.history.sample(time.Now(), call.QuotaReport{Buckets: []call.BucketReport{{Organization: "o", Workspace: "w", Group: group, Limiter: limiter}}},
				call.QueueReport{Lanes: []call.LaneReport{{Organization: "o", Group: group}}})
		}
	}
	v := read(t, a, "/api/v1/history?organization=o&workspace=w&group=b")
	if len(v.Buckets) != 2 || len(v.Lanes) != 1 || v.Buckets[0].Group != "b" || v.Buckets[0].Limiter != "input_tokens" {
		t.Errorf("%+v", v)
	}
}

// pastView is historyView as a reader of the JSON sees it.
type pastView struct {
	Every   float64 `json:"every_s"`
	Times   []int64 `json:"times"`
	Buckets []struct {
		Group     string   `json:"group"`
		Limiter   string   `json:"limiter"`
		Remaining []*int64 `json:"remaining"`
		Limit     []*int64 `json:"limit"`
	} `json:"buckets"`
	Lanes []struct {
		Waiting []*int64 `json:"waiting"`
	} `json:"lanes"`
}

func read(t *testing.T, a *Admin, path string) (v pastView) {
	t.Helper()
	got := get(t, a, path)
	if err := json.Unmarshal(got.Body.Bytes(), &v); err != nil || got.Code != 200 {
		t.Fatalf("%s: %d %v %.200s", path, got.Code, err, got.Body)
	}
	return v
}

func text(list []*int64) []string {
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = "null"
		if n != nil {
			out[i] = fmt.Sprint(*n)
		}
	}
	return out
}

package load

import (
	"cmp"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Report says how the requests that ended in a span of time fared. Requests
// that were cut off by the end of the run are in Cut and nowhere else, those
// whose users left are in Left. Waits are in seconds, and those of answered
// requests alone.
type Report struct {
	From         time.Time   `json:"from"`
	To           time.Time   `json:"to"`
	Asked        int         `json:"asked"`
	OK           int         `json:"ok"`
	RateLimited  int         `json:"rate_limited"` // 429s that users saw
	Overloaded   int         `json:"overloaded"`   // 529s that users saw
	Failed       int         `json:"failed"`       // everything else that was not answered
	Cut          int         `json:"cut"`
	Left         int         `json:"left"`    // users that went before their answer came
	Dropped      int         `json:"dropped"` // arrivals of the whole run that found no slot
	Lost         int         `json:"lost"`    // records of the whole run that gave way: > 0 makes the report partial
	Attempts     int         `json:"attempts"`
	Retried      map[int]int `json:"retried"`       // statuses that the client's own retries hid
	InputTokens  call.Tokens `json:"input_tokens"`  // that the input limiter counts
	CachedTokens call.Tokens `json:"cached_tokens"` // read from the cache
	OutputTokens call.Tokens `json:"output_tokens"`
	PerSecond    float64     `json:"per_second"` // answered
	Wait         Quantiles   `json:"wait_s"`
	First        Quantiles   `json:"first_token_s"` // of streams
	Took         Quantiles   `json:"took_s"`
	BySize       []Slice     `json:"by_size"` // ten parts of equally many requests, smallest first
	ByTenant     []Slice     `json:"by_tenant"`
	Jain         float64     `json:"jain"`   // of the tenants' tokens over their weights; 1 = even
	Errors       []Count     `json:"errors"` // most frequent first, at most 10
}

// Quantiles of a number of durations, in seconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Slice is the part of the requests that have a size or a tenant in common.
type Slice struct {
	Name    string      `json:"name,omitempty"`
	Low     call.Tokens `json:"low"`  // smallest size
	High    call.Tokens `json:"high"` // largest size
	Asked   int         `json:"asked"`
	OK      int         `json:"ok"`
	Success float64     `json:"success"` // OK / Asked
	Tokens  call.Tokens `json:"tokens"`  // input charged and output
	Wait    Quantiles   `json:"wait_s"`
}

// Count is how often something happened.
type Count struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

// Report sums up the requests that ended from from up to to. Weights are the
// tenants' shares for the Jain index; tenants without one count as 1.
func (r *Recorder) Report(from, to time.Time, weights map[string]float64) Report {
	rep := Report{From: from, To: to, Retried: map[int]int{}}
	var in []Record
	for _, rec := range r.Records() {
		if end := rec.End(); end.Before(from) || !end.Before(to) {
			continue
		}
		switch rec.Outcome {
		case Cut:
			rep.Cut++
		case Left:
			rep.Left++
		default:
			in = append(in, rec)
		}
	}
	r.mu.Lock()
	rep.Dropped, rep.Lost = r.dropped, r.lost
	r.mu.Unlock()
	rep.count(in)
	if span := to.Sub(from).Seconds(); span > 0 {
		rep.PerSecond = float64(rep.OK) / span
	}
	rep.Wait = quantiles(in, func(r *Record) time.Duration { return r.Wait })
	streams := slices.DeleteFunc(slices.Clone(in), func(r Record) bool { return r.First == 0 })
	rep.First = quantiles(streams, func(r *Record) time.Duration { return r.First })
	rep.Took = quantiles(in, func(r *Record) time.Duration { return r.Took })
	rep.BySize = deciles(in)
	rep.ByTenant = tenants(in)
	rep.Jain = jain(rep.ByTenant, weights)
	return rep
}

func (rep *Report) count(in []Record) {
	kinds := map[string]int{}
	for i := range in {
		rec := &in[i]
		rep.Asked++
		rep.Attempts += rec.Attempts
		rep.InputTokens += rec.Usage.Charged()
		rep.CachedTokens += rec.Usage.CacheRead
		rep.OutputTokens += rec.Usage.Output
		for _, status := range rec.Retried {
			rep.Retried[status]++
		}
		switch {
		case rec.Outcome == OK:
			rep.OK++
		case rec.Status == http.StatusTooManyRequests:
			rep.RateLimited++
		case rec.Status == statusOverloaded:
			rep.Overloaded++
		default:
			rep.Failed++
		}
		if rec.Outcome != OK {
			kinds[rec.Err]++
		}
	}
	for name, n := range kinds {
		rep.Errors = append(rep.Errors, Count{name, n})
	}
	slices.SortFunc(rep.Errors, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name))
	})
	rep.Errors = rep.Errors[:min(len(rep.Errors), 10)]
}

// deciles parts the requests by size.
func deciles(in []Record) []Slice {
	sorted := slices.SortedFunc(slices.Values(in), func(a, b Record) int {
		return cmp.Compare(a.Size, b.Size)
	})
	out := make([]Slice, 0, 10)
	for i := range 10 {
		part := sorted[len(sorted)*i/10 : len(sorted)*(i+1)/10]
		if len(part) > 0 {
			out = append(out, slice("", part))
		}
	}
	return out
}

// tenants parts the requests by tenant, in the order of their names.
func tenants(in []Record) []Slice {
	parts := map[string][]Record{}
	for _, rec := range in {
		parts[rec.Tenant] = append(parts[rec.Tenant], rec)
	}
	out := make([]Slice, 0, len(parts))
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		out = append(out, slice(name, parts[name]))
	}
	return out
}

func slice(name string, part []Record) Slice {
	s := Slice{Name: name, Low: math.MaxInt64, Asked: len(part)}
	for i := range part {
		rec := &part[i]
		s.Low, s.High = min(s.Low, rec.Size), max(s.High, rec.Size)
		s.Tokens += rec.Usage.Charged() + rec.Usage.Output
		if rec.Outcome == OK {
			s.OK++
		}
	}
	s.Success = float64(s.OK) / float64(s.Asked)
	s.Wait = quantiles(part, func(r *Record) time.Duration { return r.Wait })
	return s
}

// jain is (Σx)²/(n·Σx²) over what each tenant got per unit of its weight.
func jain(parts []Slice, weights map[string]float64) float64 {
	var sum, squares float64
	for _, p := range parts {
		x := float64(p.Tokens) / cmp.Or(weights[p.Name], 1)
		sum += x
		squares += x * x
	}
	if squares == 0 {
		return 1
	}
	return sum * sum / (float64(len(parts)) * squares)
}

// quantiles of the answered requests among in: exact, by the nearest rank.
func quantiles(in []Record, of func(*Record) time.Duration) Quantiles {
	all := make([]time.Duration, 0, len(in))
	for i := range in {
		if in[i].Outcome == OK {
			all = append(all, of(&in[i]))
		}
	}
	if len(all) == 0 {
		return Quantiles{}
	}
	slices.Sort(all)
	at := func(q float64) float64 {
		return all[max(int(math.Ceil(q*float64(len(all))))-1, 0)].Seconds()
	}
	return Quantiles{P50: at(0.50), P95: at(0.95), P99: at(0.99), Max: at(1)}
}

package sim

import (
	"bufio"
	"cmp"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recording is the rate-limit headers of a real answer.
type recording struct {
	Date      string            `json:"date"`
	Headers   map[string]string `json:"headers"`
	Model     string            `json:"model"`
	ServiceMS string            `json:"service_ms"`
	Stream    bool              `json:"stream"`
}

func recordings(t *testing.T) []recording {
	t.Helper()
	f, err := os.Open("testdata/recorded-headers.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []recording
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r recording
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if len(all) < 150 {
		t.Fatalf("read %d recordings, want them all", len(all))
	}
	return all
}

// reading reconstructs the bucket behind one group of recorded headers: the
// level is what remained, and the time of sampling is the only one for which
// the bucket becomes full in the recorded second.
func (r recording) reading(t *testing.T, name string, c clock) reading {
	t.Helper()
	prefix := "anthropic-ratelimit-" + name
	if r.Headers[prefix+"-limit"] == "" {
		return reading{}
	}
	limit, err := strconv.ParseFloat(r.Headers[prefix+"-limit"], 64)
	if err != nil {
		t.Fatal(err)
	}
	remaining, err := strconv.ParseFloat(r.Headers[prefix+"-remaining"], 64)
	if err != nil {
		t.Fatal(err)
	}
	reset, err := time.Parse(time.RFC3339, r.Headers[prefix+"-reset"])
	if err != nil {
		t.Fatal(err)
	}
	b := newBucket(limit, 60, 1, 0, plan{})
	b.take(limit - remaining)
	full := b.untilFull()
	return reading{
		known: true, limit: limit, level: remaining, full: full,
		at: reset.Add(500*time.Millisecond).Sub(c.start) - full,
	}
}

// slack is how far off the sampling time may be: half a second either way for
// the truncation, and what the rounding of the level hides.
func (r reading) slack(l int) time.Duration {
	rounding := 500.0
	if l == requests {
		rounding = 1
	}
	return 500*time.Millisecond + seconds(rounding/(r.limit/60))
}

func TestHeadersAsRecorded(t *testing.T) {
	names := [numLimiters]string{"requests", "input-tokens", "output-tokens"}
	for i, r := range recordings(t) {
		date, err := http.ParseTime(r.Date)
		known := err == nil
		if !known {
			date = time.Date(2026, 2, 25, 20, 2, 37, 0, time.UTC) // the one recording without a date
		}
		c := clock{start: date, speed: 1}
		tk := &ticket{org: &organization{}}
		for l, name := range names {
			tk.reading[l] = r.reading(t, name, c)
			if known && tk.reading[l].known {
				r.plausible(t, i, l, tk.reading[l])
			}
		}
		h := http.Header{}
		tk.writeLimits(h, c)
		for name, want := range r.Headers {
			if got := h.Get(name); got != want {
				t.Errorf("recording %d (%s): %s is %q, recorded %q", i, r.Date, name, got, want)
			}
		}
		if len(h) != len(r.Headers) {
			t.Errorf("recording %d: %d headers, recorded %d", i, len(h), len(r.Headers))
		}
	}
}

// plausible checks the law by which reset is made: the sampling time that it
// implies must lie between the request and its answer.
func (r recording) plausible(t *testing.T, i, l int, got reading) {
	t.Helper()
	ms, _ := strconv.Atoi(cmp.Or(r.ServiceMS, "9000"))
	earliest := -time.Duration(ms)*time.Millisecond - 2*time.Second // the answer takes its time to the recorder
	latest := time.Second                                           // dates are truncated
	slack := got.slack(l)
	if got.at < earliest-slack || got.at > latest+slack {
		t.Errorf("recording %d (%s): limiter %d was sampled %v after the answer's date, want %v to %v (±%v)",
			i, r.Date, l, got.at, earliest, latest, slack)
	}
}

func TestRecordedStreamsAreSampledAtTheirStart(t *testing.T) {
	// The rule by which serveMessages samples: all three buckets of a stream
	// at the same time, early; output of other answers at their end.
	for i, r := range recordings(t) {
		date, err := http.ParseTime(r.Date)
		ms, _ := strconv.Atoi(r.ServiceMS)
		if err != nil || !r.Stream || ms < 1900 {
			continue
		}
		out, err := time.Parse(time.RFC3339, r.Headers["anthropic-ratelimit-output-tokens-reset"])
		if err != nil {
			t.Fatal(err)
		}
		if age := date.Sub(out); age < time.Second {
			t.Errorf("recording %d: output was sampled %v before the answer of %d ms, want at its start", i, age, ms)
		}
	}
}

func TestReadingRounds(t *testing.T) {
	c := clock{start: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), speed: 1}
	for _, tc := range []struct {
		name    string
		limiter int
		level   float64
		want    int64
	}{
		{"requests-down", requests, 49.9, 49},
		{"requests-whole", requests, 49, 49},
		{"tokens-down", input, 28_499, 28_000},
		{"tokens-up", input, 28_500, 29_000},
		{"tokens-full", output, 30_000, 30_000},
		{"debt-is-zero", output, -12_000, 0},
		{"little-is-zero", input, 499, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := reading{known: true, limit: 30_000, level: tc.level}
			if got := r.show(tc.limiter, c).remaining; got != tc.want {
				t.Errorf("remaining is %d, want %d", got, tc.want)
			}
		})
	}
}

func TestOmittedGroups(t *testing.T) {
	for _, omit := range append(omitNames[:], "tokens") {
		tk := &ticket{org: &organization{rules: Rules{OmitHeaders: []string{omit}}}}
		for l := range tk.reading {
			tk.reading[l] = reading{known: true, limit: 1000, level: 1000}
		}
		h := http.Header{}
		tk.writeLimits(h, clock{speed: 1})
		if len(h) != 9 {
			t.Errorf("without %s: %d headers, want 9", omit, len(h))
		}
		for name := range h {
			if strings.HasPrefix(strings.ToLower(name), "anthropic-ratelimit-"+omit+"-") {
				t.Errorf("without %s: %s is there", omit, name)
			}
		}
	}
	if slices.Contains(omitNames[:], "tokens") {
		t.Error("tokens is no limiter")
	}
}

package main

import (
	"math"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/weir"
)

// memory is a network for the demo that works in a bubble.
type memory struct{}

func (memory) listen(string) (net.Listener, *http.Transport, error) {
	l := memnet.Listen()
	return l, l.Transport(), nil
}

func (memory) reach(t http.RoundTripper) []weir.Option {
	return []weir.Option{weir.WithHTTPTransport(t)}
}

func TestDemoShowsTheDifference(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		o := demoOptions{total: 40 * time.Second, overload: 3}
		if err := runDemo(t.Context(), o, memory{}, newTable(&out)); err != nil {
			t.Errorf("%v", err)
		}
		t.Logf("\n%s", out.String())
		for _, want := range []string{
			`Dashboard  http://`,
			`measured for 30 s, after 10 s of warm-up`,
			`requests answered +(\d+) of (\d+) \(100 %\) `,
			`429s that users saw +0 +[1-9]\d`, // without Weir there are many
			`used of the input token limit +(100.0|9[5-9].\d) %`,
			`answered of the largest tenth +\d+ of \d+ \(100 %\) `,
			`under way at the end \([1-9]`,
			`Weir let no 429 through\.`,
		} {
			if !regexp.MustCompile(want).MatchString(out.String()) {
				t.Errorf("the output lacks %s", want)
			}
		}
	})
}

func TestDemoRefusesWrongFlags(t *testing.T) {
	err := demoOptions{total: -time.Second, overload: math.NaN()}.check()
	if err == nil || !strings.Contains(err.Error(), "--for") || !strings.Contains(err.Error(), "--overload") {
		t.Errorf("want both faults, got %v", err)
	}
}

func TestJudge(t *testing.T) {
	good := reading{Report: load.Report{OK: 5}}
	late := good
	late.warm.rateLimited = 1
	seen, lost := good, good
	seen.RateLimited, lost.Failed = 2, 1
	for name, tt := range map[string]struct {
		r    reading
		want string
	}{
		"good":           {good, ""},
		"429":            {seen, "2 x 429"},
		"429-in-warm-up": {late, "1 x 429"},
		"lost":           {lost, "failed"},
		"nothing":        {reading{}, "no request"},
	} {
		t.Run(name, func(t *testing.T) {
			err := judge(new(strings.Builder), tt.r)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("judged %v, want %q", err, tt.want)
			}
		})
	}
}

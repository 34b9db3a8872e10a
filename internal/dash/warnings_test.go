package dash

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
)

// BenchmarkWarnings is what as many warnings as are shown cost each snapshot.
func BenchmarkWarnings(b *testing.B) {
	list := make([]call.Warning, 200)
	left := 0.1
	for i := range list {
		list[i] = call.Warning{ID: fmt.Sprint(i), Kind: call.QuotaLow, Group: "claude-sonnet-5", Limiter: "input_tokens", Threshold: 10, Left: &left}
	}
	a := &Admin{src: Source{Warnings: func() []call.Warning { return list }}}
	for b.Loop() {
		if n := len(a.warningViews(feedWarnings)); n != feedWarnings {
			b.Fatal(n)
		}
	}
}

func TestTheStreamHasTheWorstOnly(t *testing.T) {
	list := make([]call.Warning, 200)
	for i := range list {
		list[i] = call.Warning{ID: fmt.Sprint(i), Kind: call.KeyRefused, Key: "main", Cause: "bad_key"}
	}
	src := Source{Warnings: func() []call.Warning { return list }}
	h := New(src)
	if n := strings.Count(get(t, h, "/api/v1/warnings").Body.String(), `"zh":`); n != 200 {
		t.Errorf("%d warnings, want all 200", n)
	}
	if n := len((&Admin{src: src}).warningViews(feedWarnings)); n != feedWarnings {
		t.Errorf("%d in a snapshot, want %d", n, feedWarnings)
	}
}

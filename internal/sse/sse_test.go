package sse_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/internal/sse"
)

func scan(chunks ...string) (out []string) {
	var s sse.Scanner
	for _, c := range chunks {
		s.Feed([]byte(c), func(e sse.Event) {
			out = append(out, fmt.Sprintf("%s|%s|%d", e.Name, e.Data, e.Size))
		})
	}
	return out
}

func TestScanner(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want []string
	}{
		"one":             {"event: ping\ndata: {}\n\n", []string{"ping|{}|2"}},
		"crlf":            {"event: ping\r\ndata: {}\r\n\r\n", []string{"ping|{}|2"}},
		"cr":              {"event: ping\rdata: {}\r\rdata: x\r\r", []string{"ping|{}|2", "|x|1"}},
		"no-name":         {"data: {}\n\n", []string{"|{}|2"}},
		"many-data":       {"data: a\ndata: b\n\n", []string{"|a\nb|3"}},
		"no-space":        {"event:x\ndata:y\n\n", []string{"x|y|1"}},
		"comment":         {": hello\n\nevent: a\n: mid\ndata: 1\n\n", []string{"a|1|1"}},
		"unknown-field":   {"id: 7\nretry: 3\nfoo\ndata: 1\n\n", []string{"|1|1"}},
		"unfinished":      {"event: a\ndata: 1\n", nil},
		"empty-data":      {"event: a\ndata:\n\n", []string{"a||0"}},
		"unknown-event":   {"event: new_thing\ndata: 1\n\n", []string{"new_thing|1|1"}},
		"data-with-colon": {"data: a:b: c\n\n", []string{"|a:b: c|6"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := scan(tc.in); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			// However the bytes are cut, the events are the same.
			if got := scan(strings.Split(tc.in, "")...); !slices.Equal(got, tc.want) {
				t.Errorf("byte by byte: got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestLongDataIsCutButCounted(t *testing.T) {
	in := "event: a\ndata: " + strings.Repeat("x", 3*sse.MaxData) + "\n\nevent: b\ndata: y\n\n"
	for _, step := range []int{len(in), 1000} {
		var s sse.Scanner
		var got []string
		for chunk := range slices.Chunk([]byte(in), step) {
			s.Feed(chunk, func(e sse.Event) {
				got = append(got, fmt.Sprintf("%s %v %d", e.Name, len(e.Data) <= sse.MaxData, e.Size))
			})
		}
		want := []string{fmt.Sprintf("a true %d", 3*sse.MaxData), "b true 1"}
		if step == 1000 { // a kept line is cut with its field name in it
			want[0] = fmt.Sprintf("a true %d", 3*sse.MaxData)
		}
		if !slices.Equal(got, want) {
			t.Errorf("in steps of %d: got %q, want %q", step, got, want)
		}
	}
}

func TestLongDataIsKeptWhereTheScannerSaysSo(t *testing.T) {
	in := "data: " + strings.Repeat("x", 3*sse.MaxData) + "\n\n"
	s := sse.Scanner{Max: 4 * sse.MaxData}
	kept := 0
	for chunk := range slices.Chunk([]byte(in), 1000) {
		s.Feed(chunk, func(e sse.Event) { kept = len(e.Data) })
	}
	if kept != 3*sse.MaxData {
		t.Errorf("kept %d bytes of %d", kept, 3*sse.MaxData)
	}
}

func TestAppendIsRead(t *testing.T) {
	in := sse.Append(nil, "error", []byte(`{"type":"error"}`))
	if got, want := scan(string(in)), []string{`error|{"type":"error"}|16`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEndOfEvent(t *testing.T) {
	a, b := "event: a\ndata: 1\n\n", ": note\nevent: b\ndata: 2\n\n"
	for cut := range len(a) {
		var s sse.Scanner
		s.Feed([]byte(a[:cut]), func(e sse.Event) { t.Errorf("cut at %d: %q ended early", cut, e.Name) })
		var ends []int
		s.Feed([]byte(a[cut:]+b+"event: c"), func(e sse.Event) { ends = append(ends, e.End) })
		if want := []int{len(a) - cut, len(a) - cut + len(b)}; !slices.Equal(ends, want) || s.Whole() != want[1] {
			t.Errorf("cut at %d: events end at %v and %d, want %v", cut, ends, s.Whole(), want)
		}
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte("event: ping\ndata: {}\n\n"), uint64(1))
	f.Add([]byte("data: a\r\ndata: b\r\r\n\n:\n"), uint64(2))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		whole := scan(string(in))
		rng := rand.New(rand.NewPCG(seed, 0))
		var chunks []string
		for rest := in; len(rest) > 0; {
			n := 1 + rng.IntN(len(rest))
			chunks, rest = append(chunks, string(rest[:n])), rest[n:]
		}
		if parts := scan(chunks...); !slices.Equal(parts, whole) {
			t.Errorf("in parts %q, whole %q", parts, whole)
		}
	})
}

func BenchmarkScanner(b *testing.B) {
	event := sse.Append(nil, "content_block_delta",
		[]byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello there"}}`))
	in := bytes.Repeat(event, 100)
	var s sse.Scanner
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		s.Feed(in, func(sse.Event) {})
	}
}

func TestComments(t *testing.T) {
	var heard []string
	s := sse.Scanner{Comment: func(text []byte) { heard = append(heard, string(text)) }}
	events := 0
	for _, part := range []string{": we", "ir: 1/2\r\n\r\n:plain\n", "data: x\n\n: \n"} {
		s.Feed([]byte(part), func(sse.Event) { events++ })
	}
	if got := strings.Join(heard, "|"); got != "weir: 1/2|plain|" || events != 1 {
		t.Errorf("heard %q and %d events", got, events)
	}
}

package shape_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/internal/classify"
	"github.com/weir-gateway/weir/internal/shape"
)

// conversation is a request of about 100 KB: tools, a system prompt, and turns.
func conversation(turns int) []byte {
	var b strings.Builder
	b.WriteString(`{"model":"claude-sonnet-5","tools":[`)
	for i := range 14 {
		fmt.Fprintf(&b, `{"name":"tool%d","description":"%s","input_schema":{"type":"object"}},`, i, strings.Repeat("Reads a file. ", 180))
	}
	b.WriteString(`{"name":"last","input_schema":{"type":"object"}}],"system":[{"type":"text","text":"` + strings.Repeat("You are careful. ", 900) + `"}],"messages":[`)
	for i := range turns {
		fmt.Fprintf(&b, `{"role":"user","content":[{"type":"tool_result","tool_use_id":"t%d","content":"%s"}]},`, i, strings.Repeat("func main() {} ", 50))
		fmt.Fprintf(&b, `{"role":"assistant","content":[{"type":"text","text":"Next."},{"type":"tool_use","id":"t%d","name":"tool1","input":{"path":"main.go"}}]},`, i+1)
	}
	b.WriteString(`{"role":"user","content":"Go on."}]}`)
	return []byte(b.String())
}

// BenchmarkBreakpoints is what the step costs a request of 100 KB, and what
// reading it costs with and without the ends of blocks.
func BenchmarkBreakpoints(b *testing.B) {
	body := conversation(50)
	for _, wanted := range []bool{false, true} {
		b.Run(fmt.Sprintf("classify/ends=%v", wanted), func(b *testing.B) {
			room := classify.New(classify.Config{Ends: wanted})
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := read(room, "a", body, 25_000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("prepare", func(b *testing.B) {
		step, room := shape.NewBreakpoints(shape.BreakpointsConfig{}), classify.New(classify.Config{Ends: true})
		c, err := read(room, "a", body, 25_000)
		if err != nil {
			b.Fatal(err)
		}
		step.Prepare(c.Clone())
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		var spent time.Duration
		for b.Loop() {
			twin := c.Clone()
			for i := range twin.Content.Ends {
				twin.Content.Ends[i].TTL = 0
			}
			began := time.Now()
			marked := step.Prepare(twin)
			spent += time.Since(began)
			if !marked {
				b.Fatal("it was not marked")
			}
		}
		b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N), "ns/prepare")
	})
}

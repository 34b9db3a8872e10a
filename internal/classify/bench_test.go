package classify_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/internal/classify"
)

func BenchmarkClassify1MB(b *testing.B) {
	for name, mark := range map[string]string{"plain": "", "cached": `,"cache_control":{"type":"ephemeral"}`} {
		b.Run(name, func(b *testing.B) {
			block := `{"type":"text","text":"` + strings.Repeat("word ", 4000) + `"}`
			body := `{"model":"claude-haiku-4-5","max_tokens":10` + mark + `,"messages":[{"role":"user","content":[` + strings.Repeat(block+",", 49) + block + `]}]}`
			room := classify.New(classify.Config{})
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("POST", "/v1/messages", strings.NewReader(body))
				if _, err := room.Classify(r, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

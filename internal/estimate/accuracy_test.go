package estimate_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
	"github.com/weir-gateway/weir/internal/estimate"
	"github.com/weir-gateway/weir/sim"
)

// writer makes texts of some kind.
type writer struct{ *rand.Rand }

func (w writer) of(n int, parts []string) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(parts[w.IntN(len(parts))])
	}
	return b.String()
}

var (
	prosaic = strings.SplitAfter("The water of the river was held back just enough that it never floods, and nobody downstream ever saw it. Programs ask for more than the quota allows; each waits its turn.\n", " ")
	goCode  = strings.SplitAfter("func (b *bucket) wait(need float64) time.Duration {\n\tif !b.known() {\n\t\treturn 0\n\t}\n\tx := map[string]int{\"a\": 1, \"b\": 22}\n\treturn seconds((need - b.level) / 0.05)\n}\n", " ")
	chinese = strings.SplitAfter("水流被拦住，刚好不会泛滥，下游没有人看到它。程序的请求超过配额时，每个都按次序等待。\n", "，")
	russian = strings.SplitAfter("Вода реки удерживается ровно настолько, чтобы она никогда не разливалась. ", " ")
	schema  = `{"name":"get_%d","description":"Look up the weather of a city and a day, in metric units.","input_schema":{"type":"object","properties":{"city":{"type":"string"},"day":{"type":"string","format":"date"}},"required":["city"]}}`
)

// png is the beginning of a picture, which is all that anybody looks at.
func (w writer) png() string {
	head := binary.BigEndian.AppendUint32([]byte("IHDR"), uint32(200+w.IntN(2000)))
	head = binary.BigEndian.AppendUint32(head, uint32(200+w.IntN(1500)))
	head = append(head, 8, 0, 0, 0, 0) // gray, not interlaced
	file := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	file = binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(head))
	return base64.StdEncoding.EncodeToString(append(file, make([]byte, 20_000)...))
}

func (w writer) pdf() string {
	pages := strings.Repeat("<< /Type /Page /Parent 2 0 R >> "+w.of(500, prosaic), 1+w.IntN(12))
	return base64.StdEncoding.EncodeToString([]byte("%PDF-1.4 << /Type /Pages >> " + pages))
}

// workloads make the user's content and the tools of a request.
var workloads = map[string]func(w writer) (content any, tools int){
	"english": func(w writer) (any, int) { return w.of(200+w.IntN(40_000), prosaic), 0 },
	"short":   func(w writer) (any, int) { return w.of(20+w.IntN(200), prosaic), 0 },
	"code":    func(w writer) (any, int) { return w.of(500+w.IntN(60_000), goCode), 0 },
	"chinese": func(w writer) (any, int) { return w.of(200+w.IntN(20_000), chinese), 0 },
	"russian": func(w writer) (any, int) { return w.of(200+w.IntN(20_000), russian), 0 },
	"agent": func(w writer) (any, int) {
		return w.of(w.IntN(30_000), goCode) + w.of(w.IntN(30_000), prosaic), 5 + w.IntN(20)
	},
	"mixed": func(w writer) (any, int) {
		return w.of(100+w.IntN(20_000), [][]string{prosaic, goCode, chinese, russian}[w.IntN(4)]), 4 * w.IntN(2)
	},
	"images": func(w writer) (any, int) {
		return []any{
			map[string]any{"type": "image", "source": map[string]string{"type": "base64", "media_type": "image/png", "data": w.png()}},
			map[string]string{"type": "text", "text": w.of(50+w.IntN(2000), prosaic)},
		}, 0
	},
	"pdf": func(w writer) (any, int) {
		return []any{
			map[string]any{"type": "document", "source": map[string]string{"type": "base64", "media_type": "application/pdf", "data": w.pdf()}},
			map[string]string{"type": "text", "text": w.of(50+w.IntN(2000), prosaic)},
		}, 0
	},
}

func (w writer) request(model string, content any, tools int) string {
	body := map[string]any{"model": model, "max_tokens": 100, "messages": []any{map[string]any{"role": "user", "content": content}}}
	if tools > 0 {
		list := []json.RawMessage{}
		for i := range tools {
			list = append(list, json.RawMessage(fmt.Sprintf(schema, i)))
		}
		body["tools"] = list
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(raw)
}

// counted is what the simulator's own tokenizer says.
func counted(t *testing.T, api http.Handler, body string) float64 {
	t.Helper()
	req := httptest.NewRequest("POST", "/v1/messages/count_tokens", strings.NewReader(body))
	req.Header.Set("X-Api-Key", "sk-ant-test")
	req.Header.Set("Anthropic-Version", "2023-06-01")
	rec := httptest.NewRecorder()
	api.ServeHTTP(rec, req)
	var answer struct {
		Input float64 `json:"input_tokens"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || answer.Input == 0 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return answer.Input
}

// TestAccuracy holds the estimator to the simulator's tokenizer, whose noise
// of ±4 % per text nobody can predict: after 20 requests it is less than 3 %
// off on average, and 95 % of its errors are within twice the spread it states.
func TestAccuracy(t *testing.T) {
	for name, make := range workloads {
		for _, model := range []string{"claude-sonnet-5", "claude-haiku-4-5"} {
			t.Run(name+"/"+model, func(t *testing.T) {
				api, err := sim.New(sim.Config{Tier: "scale", Seed: 1})
				if err != nil {
					t.Fatal(err)
				}
				w := writer{rand.New(rand.NewPCG(7, uint64(len(name))))}
				door, room := classify.New(classify.Config{}), estimate.New()
				var cold, mean, spread, asked, real float64
				within := 0
				const warm, tests = 20, 120
				for i := range warm + tests {
					content, tools := make(w)
					body := w.request(model, content, tools)
					c, err := door.Classify(httptest.NewRequest("POST", "/v1/messages", strings.NewReader(body)), time.Now())
					if err != nil {
						t.Fatal(err)
					}
					n := counted(t, api, body)
					e := room.Estimate(c)
					if i == 0 {
						cold = float64(e.Input)/n - 1
					}
					if i >= warm {
						off := float64(e.Input)/n - 1
						mean += math.Abs(off) / tests
						spread += e.Spread / tests
						asked, real = asked+float64(e.Input), real+n
						if math.Abs(off) <= 2*e.Spread {
							within++
						}
					}
					room.Learn(c, call.Usage{Input: call.Tokens(n), Output: 10, Exact: true})
				}
				bias := asked/real - 1
				t.Logf("first %+.1f %%, then bias %+.2f %%, mean error %.1f %%, spread %.1f %%, %.1f %% within twice that",
					100*cold, 100*bias, 100*mean, 100*spread, 100*float64(within)/tests)
				if math.Abs(bias) > 0.03 {
					t.Errorf("bias %+.3f", bias)
				}
				if within < tests*93/100 {
					t.Errorf("%d of %d errors within twice the spread of %.3f", within, tests, spread)
				}
				if spread > 0.08 {
					t.Errorf("spread %.3f of regular requests", spread)
				}
			})
		}
	}
}

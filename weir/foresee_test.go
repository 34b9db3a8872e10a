package weir

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
)

func TestForesee(t *testing.T) {
	paragraph := "The river rose in the night, and nobody in the village slept.\n\n" // 64 bytes
	body := func(paragraphs int) []byte {
		raw, err := json.Marshal(map[string]any{
			"model": "claude-haiku-4-5", "max_tokens": 1000, "stream": true,
			"messages": []any{map[string]any{"role": "user", "content": strings.Repeat(paragraph, paragraphs)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	bucket := func(limiter string, limit, left int64) call.BucketReport {
		return call.BucketReport{Group: "claude-haiku-4-5", Limiter: limiter, Limit: limit, Remaining: left, Source: "header"}
	}
	quota := call.QuotaReport{Buckets: []call.BucketReport{bucket("input_tokens", 50_000, 50_000), bucket("requests", 100, 1)}}
	auto := http.Header{"Weir-Split": {"auto"}}

	whole, err := Foresee(Prospect{Header: auto, Body: body(1)})
	if err != nil || whole.Parts != 0 || whole.Calls != 1 || whole.Output != 1000 || whole.BoundBy != "" || !whole.Priced {
		t.Errorf("a short question: %+v, %v", whole, err)
	}
	if want := call.USD(whole.Input)*1e6 + 1000*5e6; whole.Cost != want {
		t.Errorf("it would cost %v, want %v", whole.Cost, want)
	}
	long, err := Foresee(Prospect{Header: auto, Body: body(5000), Quota: quota}) // some 70,000 tokens, more than the bucket
	if err != nil || long.Parts < 4 || long.Calls <= long.Parts || long.Input < 60_000 || long.Output != call.Tokens(long.Calls)*1000 {
		t.Errorf("a long one: %+v, %v", long, err)
	}
	lack := time.Duration(float64(long.Input-50_000) / 50_000 * float64(time.Minute))
	if long.BoundBy != "input_tokens" || long.Wait != lack {
		t.Errorf("it would wait %v for %s, want %v", long.Wait, long.BoundBy, lack)
	}
	two := quota
	two.Buckets = append([]call.BucketReport{bucket("input_tokens", 25_000, 25_000)}, quota.Buckets...) // of another organization
	if pool, err := Foresee(Prospect{Header: auto, Body: body(5000), Quota: two}); err != nil || pool.Parts <= long.Parts {
		t.Errorf("%d parts in a pool of a smaller organization: %v", pool.Parts, err)
	}
	counted, err := Foresee(Prospect{Header: auto, Body: body(5000), Quota: quota, Counted: 2 * whole.Input * 5000})
	if err != nil || counted.Parts <= long.Parts || counted.Input <= long.Input {
		t.Errorf("counted: %+v, %v", counted, err)
	}
	alone, err := Foresee(Prospect{Body: body(5000), Quota: quota})
	if err != nil || !alone.TooLong || whole.TooLong || long.TooLong || alone.Calls != 1 {
		t.Errorf("unsplit: %+v, %v", alone, err)
	}
	list, err := Foresee(Prospect{
		Header: http.Header{"Weir-Split": {"auto; merge=list"}}, Body: body(5000), Split: Split{Part: 2000}, Quota: quota,
	})
	if err != nil || list.Calls != list.Parts || list.Parts < 20 {
		t.Errorf("as a list: %+v, %v", list, err)
	}
	_, err = Foresee(Prospect{Header: http.Header{"Weir-Split": {"maybe"}}, Body: body(1)})
	if err == nil || !strings.Contains(err.Error(), "weir-split") {
		t.Errorf("a wish that is none: %v", err)
	}
}

package classify_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
)

func TestSplitWish(t *testing.T) {
	for text, want := range map[string]*call.SplitWish{
		"": {}, "off": {}, "auto": {Auto: true}, " auto ; merge=list": {Auto: true, Merge: call.MergeList},
		"auto; merge=reduce": {Auto: true, Merge: call.MergeReduce}, "auto;merge=concat": {Auto: true, Merge: call.MergeConcat},
		"on": nil, "auto; merge=zip": nil, "auto; list": nil, "auto; merge=": nil,
	} {
		req, _ := http.NewRequest("POST", "/v1/messages", strings.NewReader(`{"model":"m","messages":[]}`))
		req.Header.Set("Weir-Split", text)
		c, err := classify.New(classify.Config{}).Classify(req, time.Now())
		if want == nil && err == nil || want != nil && (err != nil || c.Split != *want) {
			t.Errorf("%q: %+v, %v", text, c.Split, err)
		}
	}
}

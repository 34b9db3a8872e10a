package weir

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
	"github.com/weir-gateway/weir/internal/estimate"
	"github.com/weir-gateway/weir/internal/price"
	"github.com/weir-gateway/weir/internal/quota"
	"github.com/weir-gateway/weir/internal/split"
)

// Forecast is what a request would take if each answer to it were as long as its
// max_tokens allow.
type Forecast struct {
	Parts  int         // that it would be split into; 0: it would not be
	Calls  int         // to the API: the parts, and what makes one answer of theirs
	Input  call.Tokens // of all calls, estimated
	Output call.Tokens // of all calls, at most
	Cost   call.USD    // at the list prices, if nothing comes from the prompt cache
	Priced bool        // false: the model has no price, and the dearest counts

	TooLong bool // for the model or the whole input bucket, and it would not be split

	Wait    time.Duration // until the quota has let all of it pass, if nobody else uses it
	BoundBy string        // the limiter that takes longest; "": the quota is not known
}

// Prospect is a request before it is sent, and what is known of the gateway that
// it would be sent to.
type Prospect struct {
	Header  http.Header
	Body    []byte           // of a POST to /v1/messages
	Split   Split            // how the gateway splits
	Quota   call.QuotaReport // what it believes in
	Counted call.Tokens      // the input, if it was counted; 0: it is estimated
}

// Foresee says what a request would take. It walks the request through a house
// in which answers cost nothing, so that it contacts nobody. Its error is an
// [*Error], in the words that a gateway would refuse the request with.
func Foresee(p Prospect) (Forecast, error) {
	req, err := http.NewRequest(http.MethodPost, "/v1/messages", bytes.NewReader(p.Body))
	if err != nil {
		return Forecast{}, err
	}
	req.Header = p.Header
	o := &oracle{classify: classify.New(classify.Config{}), estimate: estimate.New(), prices: price.Builtin(), quota: p.Quota, factor: 1}
	c, err := o.classify.Classify(req, time.Now())
	if err == nil {
		if p.Counted > 0 {
			o.factor = float64(p.Counted) / float64(o.input(c))
		}
		ask := o.answer
		if c.Split.Auto {
			ask = func(ctx context.Context, c *call.Call) (*http.Response, error) {
				return split.New(p.Split, o.house()).Answer(ctx, c, o.answer)
			}
		}
		_, err = ask(context.Background(), c)
	}
	if err != nil {
		r := asRefusal(err)
		text := book().Refusal(c.Lang, r)
		return Forecast{}, &Error{Code: r.Reason.String(), Message: text.Message, Hint: text.Hint}
	}
	bucket := o.bucket(c)
	o.foreseen.Parts = c.Parts
	o.foreseen.TooLong = c.Parts == 0 && (o.foreseen.Input > windowOf(c.Model)-c.MaxTokens || bucket > 0 && o.foreseen.Input > bucket)
	o.wait(c.Model)
	return o.foreseen, nil
}

// Error is why a request would be refused, and what to do about it.
type Error struct {
	Code    string // as in error.details.error_code
	Message string
	Hint    string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// oracle is a house without an upstream.
type oracle struct {
	// Static after Foresee has begun.
	classify *classify.Room
	estimate *estimate.Room
	prices   *price.Table
	quota    call.QuotaReport
	factor   float64 // by which estimates are too low

	mu       sync.Mutex
	foreseen Forecast // Guarded by mu, as long as there are parts.
}

// house is what the splitter needs.
func (o *oracle) house() split.House {
	return split.House{
		Part: o.classify.Part, Input: o.input, Window: windowOf,
		Text:   func(c *call.Call, text string) call.Tokens { return o.scale(o.estimate.Text(c, classify.Weigh(text))) },
		Bucket: o.bucket,
		End:    func(*call.Call, int, string, string) {},
	}
}

func (o *oracle) input(c *call.Call) call.Tokens {
	e := o.estimate.Estimate(c)
	return o.scale(e.Input + e.Cached)
}

func (o *oracle) scale(n call.Tokens) call.Tokens { return call.Tokens(float64(n)*o.factor + 0.5) }

// bucket is what the input bucket of a call holds, as a gateway sees it that does
// not know who pays: the smallest. 0: not known.
func (o *oracle) bucket(c *call.Call) (size call.Tokens) {
	for _, b := range o.quota.Buckets {
		if limit := call.Tokens(b.Limit); b.Limiter == call.InputTokens.String() && drawnOn(b, c.Model) && (size == 0 || limit < size) {
			size = limit
		}
	}
	return size
}

// drawnOn reports whether calls of a model draw on a bucket that is known.
func drawnOn(b call.BucketReport, model string) bool {
	group, _ := quota.BuiltinGroups().Of(model)
	return b.Source != "guess" && (b.Group == group || b.Group == model)
}

// longest bounds the text of an answer that is made up.
const longest = 1 << 20

// answer counts a call, and makes up the longest answer to it.
func (o *oracle) answer(_ context.Context, c *call.Call) (*http.Response, error) {
	input := o.input(c)
	cost, known := o.prices.Cost(c.Model, time.Now(), call.Usage{Input: input, Output: c.MaxTokens})
	o.mu.Lock()
	defer o.mu.Unlock()
	o.foreseen.Calls++
	o.foreseen.Input += input
	o.foreseen.Output += c.MaxTokens
	o.foreseen.Cost += cost
	o.foreseen.Priced = known
	const word = "word " // about one token
	text := strings.Repeat(word, min(int(c.MaxTokens), longest/len(word)))
	body, err := json.Marshal(map[string]any{
		"type": "message", "role": "assistant", "model": c.Model, "stop_reason": "end_turn",
		"content": []any{map[string]string{"type": "text", "text": text}}, "usage": map[string]int{},
	})
	if err != nil {
		return nil, fmt.Errorf("make an answer up: %w", err)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, nil
}

// buckets are those that calls of a model draw on, by their limiters; of several
// organizations the one that refills faster.
func (o *oracle) buckets(model string) map[string]call.BucketReport {
	out := map[string]call.BucketReport{}
	for _, b := range o.quota.Buckets {
		if drawnOn(b, model) && b.Limit > out[b.Limiter].Limit {
			out[b.Limiter] = b
		}
	}
	return out
}

// wait works out when the quota will have let everything pass. The output is
// left out: how much of max_tokens is used nobody knows.
func (o *oracle) wait(model string) {
	f := &o.foreseen
	for _, each := range []struct {
		limiter call.Limiter
		need    int64
	}{{call.InputTokens, int64(f.Input)}, {call.Requests, int64(f.Calls)}} {
		b, known := o.buckets(model)[each.limiter.String()]
		if !known {
			continue
		}
		lack := float64(max(0, each.need-b.Remaining))
		took := time.Duration(lack / float64(b.Limit) * float64(time.Minute))
		if f.BoundBy == "" || took > f.Wait {
			f.Wait, f.BoundBy = took, b.Limiter
		}
	}
}

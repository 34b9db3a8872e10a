package load

import (
	"bytes"
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// client sends questions as an SDK with its policy would.
type client struct {
	target  Target
	policy  Policy
	timeout time.Duration // of each attempt
}

// do sends q, again and again as far as the policy goes, and returns what the
// user saw in the end.
func (c *client) do(ctx context.Context, rng *rand.Rand, q question) Record {
	rec := Record{
		Tenant: q.tenant.Name,
		Class:  q.tenant.Class,
		Model:  q.model,
		Stream: q.stream,
		Size:   q.size,
		Start:  time.Now(),
	}
	for n := 0; ; n++ {
		sent := time.Now()
		worst, ok := c.target.Purse.hold(q)
		if !ok {
			rec.unpaid(sent)
			return rec
		}
		a := c.attempt(ctx, q, n)
		c.target.Purse.settle(q, worst, a)
		rec.Attempts++
		if ctx.Err() != nil || n == c.policy.Retries || a.begun || !c.policy.again(a.status, a.header) {
			rec.finish(a, sent)
			if ctx.Err() != nil && a.outcome != OK {
				rec.Outcome = Cut
			}
			return rec
		}
		rec.Retried = append(rec.Retried, a.status)
		if !pause(ctx, c.policy.delay(rng, n, a.header)) {
			rec.finish(a, sent)
			rec.Outcome = Cut
			return rec
		}
	}
}

// attempt sends q once and reads the answer to its end.
func (c *client) attempt(ctx context.Context, q question, n int) answer {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	url := strings.TrimSuffix(c.target.URL, "/") + "/v1/messages"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(q.body))
	if err != nil {
		return answer{outcome: Broken, err: err}
	}
	req.Header = q.header.Clone()
	maps.Copy(req.Header, c.target.Header)
	if c.target.Key != "" {
		req.Header.Set("x-api-key", c.target.Key)
	}
	req.Header.Set("x-stainless-retry-count", strconv.Itoa(n))
	resp, err := c.target.Transport.RoundTrip(req)
	if err != nil {
		return answer{outcome: Broken, err: err}
	}
	a := read(resp)
	io.Copy(io.Discard, resp.Body) // so that the connection can be used again
	resp.Body.Close()
	return a
}

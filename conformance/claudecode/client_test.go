// Package claudecode replays the traffic of Claude Code 2.1.330, as it was
// measured, through the gateway: its requests byte for byte, its retry rules
// and its patience.
package claudecode

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-gateway/weir/internal/sse"
)

// The client's limits, as measured.
const (
	maxRetries      = 10
	maxOverloads    = 3  // requests, not retries
	maxBetaDrops    = 5  // on 400 it leaves out one beta after another
	maxRetryAfter   = 60 // seconds; above it, the error is shown at once
	stallTimeout    = 300 * time.Second
	requestTimeout  = 600 * time.Second
	backoffLongest  = 32 * time.Second // without jitter
	backoffShortest = 500 * time.Millisecond
)

// errStalled is what the watchdog ends a silent stream with.
var errStalled = errors.New("no byte of the stream for 300 s")

// client is Claude Code's HTTP side.
type client struct {
	http http.Client
	base string
	key  string
	rand *rand.Rand
	more http.Header // for the simulator
}

// outcome is what one prompt came to.
type outcome struct {
	requests int // HTTP requests, retries included
	status   int // of the last
	header   http.Header
	text     string        // the answer
	message  string        // error.message, as it would be printed
	pings    int           // before the first content
	silence  time.Duration // the longest
	took     time.Duration
}

// prompt sends body, with the client's retries, and reads the answer.
func (c *client) prompt(ctx context.Context, body []byte) (outcome, error) {
	began := time.Now()
	betas := slices.Clone(betas)
	var out outcome
	for retries, overloads, drops := 0, 0, 0; ; {
		err := c.once(ctx, body, betas, retries, &out)
		out.took = time.Since(began)
		if err != nil || out.status == http.StatusOK {
			return out, err
		}
		switch {
		case out.status == http.StatusBadRequest && drops < maxBetaDrops:
			drops++
			betas = betas[:len(betas)-1]
			continue
		case out.status == 529 && overloads+1 < maxOverloads:
			overloads++
		case out.status == 529, !c.retries(out), retries == maxRetries:
			return out, nil
		}
		wait := max(c.backoff(retries), c.jittered(retryAfter(out.header)))
		retries++
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return out, context.Cause(ctx)
		}
	}
}

// retries reports whether the client tries again after out.
func (c *client) retries(out outcome) bool {
	switch out.header.Get("X-Should-Retry") {
	case "true":
		return true
	case "false":
		return false
	}
	if retryAfter(out.header) > maxRetryAfter*time.Second {
		return false
	}
	return out.status == 408 || out.status == 409 || out.status == 429 || out.status >= 500
}

// backoff doubles from half a second.
func (c *client) backoff(retries int) time.Duration {
	return c.jittered(min(backoffShortest<<retries, backoffLongest))
}

// jittered is up to a quarter longer.
func (c *client) jittered(d time.Duration) time.Duration {
	return d + time.Duration(c.rand.Int64N(int64(d)/4+1))
}

// retryAfter reads the header.
func retryAfter(h http.Header) time.Duration {
	s, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil {
		return 0
	}
	return time.Duration(s) * time.Second
}

// once makes one HTTP request and reads its answer into out.
func (c *client) once(ctx context.Context, body []byte, betas []string, retry int, out *outcome) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	deadline := time.AfterFunc(requestTimeout, func() { cancel(context.DeadlineExceeded) })
	defer deadline.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/messages?beta=true", bytes.NewReader(body))
	if err != nil {
		return err
	}
	maps.Copy(req.Header, headers(c.key, betas, retry))
	maps.Copy(req.Header, c.more)
	out.requests++
	began := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	defer resp.Body.Close()
	deadline.Stop() // from here on the watchdog looks after it
	out.status, out.header = resp.StatusCode, resp.Header
	out.text, out.message, out.pings, out.silence = "", "", 0, time.Since(began)
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		return out.readJSON(raw)
	}
	dog := time.AfterFunc(stallTimeout, func() { cancel(errStalled) })
	defer dog.Stop()
	if err := out.readStream(resp.Body, dog); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return nil
}

func (o *outcome) readJSON(raw []byte) error {
	var m struct {
		Content []struct{ Text string }
		Error   struct{ Message string }
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("answer %.200q: %w", raw, err)
	}
	for _, block := range m.Content {
		o.text += block.Text
	}
	o.message = m.Error.Message
	return nil
}

// readStream reads events until message_stop. An error event ends it, as does
// its end without message_stop.
func (o *outcome) readStream(r io.Reader, dog *time.Timer) error {
	var (
		scan    sse.Scanner
		stopped bool
		failed  error
	)
	last := time.Now()
	buf := make([]byte, 4<<10)
	for {
		n, err := r.Read(buf)
		now := time.Now()
		o.silence, last = max(o.silence, now.Sub(last)), now
		dog.Reset(stallTimeout)
		scan.Feed(buf[:n], func(e sse.Event) {
			switch e.Name {
			case "ping":
				if o.text == "" {
					o.pings++
				}
			case "content_block_delta":
				var d struct{ Delta struct{ Text string } }
				failed = errors.Join(failed, json.Unmarshal(e.Data, &d))
				o.text += d.Delta.Text
			case "error":
				failed = errors.Join(failed, o.readJSON(e.Data), errors.New("error event"))
			case "message_stop":
				stopped = true
			}
		})
		switch {
		case failed != nil:
			return failed
		case stopped:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
}

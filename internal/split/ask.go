package split

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/weir-gateway/weir/call"
)

// answered is the message that came for a unit.
type answered struct {
	call   *call.Call
	header http.Header
	body   []byte
	text   string // of its text blocks
}

// askAll sends units as calls of their own, a bounded number at once, and
// returns their answers in order. If one of them has no answer, the others are
// cancelled, and what came in its place is returned.
func (j *job) askAll(ctx context.Context, units []unit) ([][]answered, *http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		out    = make([][]answered, len(units))
		places = make(chan struct{}, j.cfg.Parallel)
		under  sync.WaitGroup
		mu     sync.Mutex // guards failed and first
		failed *http.Response
		first  error
	)
	j.call.Progress.Expect(len(units))
	for i, u := range units {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		under.Go(func() {
			defer func() { <-places }()
			var resp *http.Response
			var err error
			if out[i], resp, err = j.askUnit(ctx, u, maxHalvings); resp == nil && err == nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if failed == nil && first == nil {
				failed, first = resp, err
			}
			cancel()
		})
	}
	under.Wait()
	if failed == nil && first == nil && ctx.Err() != nil {
		first = &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
	}
	return out, failed, first
}

// maxHalvings is how often a part is cut in two that the upstream still finds
// too long.
const maxHalvings = 4

// askUnit asks about one unit, in halves if it is too long for the upstream.
func (j *job) askUnit(ctx context.Context, u unit, halvings int) ([]answered, *http.Response, error) {
	one, resp, err := j.askOne(ctx, j.body(u))
	if halvings > 0 && err == nil && refusedAsTooLong(resp) {
		if list := j.halves(u); list != nil {
			return j.askHalves(ctx, list, halvings-1)
		}
	}
	if resp != nil || err != nil {
		return nil, resp, err
	}
	j.call.Progress.Done()
	return []answered{one}, nil, nil
}

func (j *job) askHalves(ctx context.Context, list []unit, halvings int) (out []answered, resp *http.Response, err error) {
	j.call.Progress.Expect(len(list) - 1)
	for _, u := range list {
		more, resp, err := j.askUnit(ctx, u, halvings)
		if resp != nil || err != nil {
			return nil, resp, err
		}
		out = append(out, more...)
	}
	return out, nil, nil
}

// askOne asks one request. An answer that is none is returned as it came.
func (j *job) askOne(ctx context.Context, body []byte) (answered, *http.Response, error) {
	c, err := j.room.house.Part(j.call, body)
	if err != nil {
		return answered{}, nil, fmt.Errorf("split: %w", err)
	}
	if j.cfg.Batch {
		c.Class = call.Batch
	}
	resp, err := j.ask(ctx, c)
	j.note(c.Degraded)
	if err != nil {
		j.room.book(c, err)
		return answered{}, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answered{}, nil, &call.Refusal{Reason: call.UpstreamDown, Cause: err}
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		return answered{}, resp, nil
	}
	var doc struct{ Content []block }
	if err := json.Unmarshal(raw, &doc); err != nil {
		return answered{}, nil, &call.Refusal{Reason: call.InternalFailure, Cause: fmt.Errorf("answer to a part: %w", err)}
	}
	var text strings.Builder
	for _, b := range doc.Content {
		text.WriteString(b.Text)
	}
	return answered{bare(c), resp.Header, raw, text.String()}, nil, nil
}

// bare is a call without its request: those of all parts together may be many
// times as large as the whole.
func bare(c *call.Call) *call.Call {
	c = c.Clone()
	c.Body, c.Plain, c.Header, c.Content = nil, nil, nil, call.Content{}
	return c
}

// note keeps what was done to a part for the mark of the whole, which other parts
// are still copied from.
func (j *job) note(d call.Degradation) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, rung := range d.Rungs() {
		j.rungs = append(j.rungs, call.RungKind(rung))
	}
}

// degrade marks the whole when no part is asked any more.
func (j *job) degrade() {
	for _, rung := range j.rungs {
		j.call.Degrade(rung)
	}
}

// book books a part that was refused. Its place in the books is its own, as is
// that of those which were answered.
func (r *Room) book(c *call.Call, err error) {
	outcome, reason, status := "refused", call.InternalFailure, http.StatusServiceUnavailable
	if no, ok := errors.AsType[*call.Refusal](err); ok {
		reason = no.Reason
	}
	if reason == call.ClientGone {
		outcome, status = "client_gone", 499
	}
	r.house.End(c, status, outcome, reason.String())
}

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

// answered is the message that came for a part.
type answered struct {
	call *call.Call
	body []byte
	text string // of its text blocks
}

// askAll sends requests as calls of their own, a bounded number at once, and
// returns their answers in order. If one of them has no answer, the others are
// cancelled, and what came in its place is returned.
func (j *job) askAll(ctx context.Context, bodies [][]byte) ([]answered, *http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		out    = make([]answered, len(bodies))
		places = make(chan struct{}, j.room.cfg.Parallel)
		parts  sync.WaitGroup
		mu     sync.Mutex // guards failed and first
		failed *http.Response
		first  error
	)
	j.call.Progress.Expect(len(bodies))
	for i, body := range bodies {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		parts.Go(func() {
			defer func() { <-places }()
			var resp *http.Response
			var err error
			if out[i], resp, err = j.askOne(ctx, body); resp == nil && err == nil {
				j.call.Progress.Done()
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
	parts.Wait()
	if failed == nil && first == nil && ctx.Err() != nil {
		first = &call.Refusal{Reason: call.ClientGone, Cause: context.Cause(ctx)}
	}
	return out, failed, first
}

// askOne asks about one part. An answer that is none is returned as it came.
func (j *job) askOne(ctx context.Context, body []byte) (answered, *http.Response, error) {
	c, err := j.room.house.Part(j.call, body)
	if err != nil {
		return answered{}, nil, fmt.Errorf("split: %w", err)
	}
	resp, err := j.ask(ctx, c)
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
	return answered{c, raw, text.String()}, nil, nil
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

// partNote tells the model that it sees a part.
func partNote(lang string, n, of int) string {
	if lang == "zh" {
		return fmt.Sprintf("（全文过长，以下是第 %d 部分，共 %d 部分。请只针对这一部分作答。）\n\n", n, of)
	}
	return fmt.Sprintf("(The text is too long for one request. This is part %d of %d: answer for this part alone.)\n\n", n, of)
}

// reduceNote tells the model what it sees in place of the text.
func reduceNote(lang string, n int) string {
	if lang == "zh" {
		return fmt.Sprintf("（全文过长，已分为 %d 部分分别作答。下面依次是各部分的答复，请据此对全文给出一个完整的答复。）\n\n", n)
	}
	return fmt.Sprintf("(The text is too long for one request, so that each of %d parts of it was answered alone. These are the answers in order: make one answer for the whole text of them.)\n\n", n)
}

// reduce asks for one answer in the place of many, in several steps if they are
// too long for one.
func (j *job) reduce(ctx context.Context, m *merged) (*http.Response, error) {
	for len(m.answers) > 1 {
		groups := j.groups(m.answers)
		if len(groups) == len(m.answers) {
			m.concat() // each is too long to be put beside another
			return nil, nil
		}
		var bodies [][]byte
		var alone []int // groups of one need no step
		for i, g := range groups {
			if len(g) == 1 {
				alone = append(alone, i)
				continue
			}
			var text strings.Builder
			for n, a := range g {
				fmt.Fprintf(&text, "[%d]\n%s\n\n", n+1, a.text)
			}
			req := j.request
			bodies = append(bodies, req.with(req.head+reduceNote(j.call.Lang, len(g))+text.String()+req.tail))
		}
		answers, failed, err := j.askAll(ctx, bodies)
		if failed != nil || err != nil {
			return failed, err
		}
		for _, g := range groups {
			if len(g) > 1 {
				m.spent = append(m.spent, g...)
			}
		}
		for _, i := range alone {
			at := min(i, len(answers))
			answers = append(answers[:at], append([]answered{groups[i][0]}, answers[at:]...)...)
		}
		m.answers = answers
	}
	return nil, nil
}

// groups puts answers that follow each other together as far as a part may
// reach.
func (j *job) groups(list []answered) (groups [][]answered) {
	var sum call.Tokens
	for i, a := range list {
		n := j.room.house.Text(j.call, a.text)
		if i == 0 || sum+n > j.size {
			groups, sum = append(groups, nil), 0
		}
		sum += n
		last := len(groups) - 1
		groups[last] = append(groups[last], a)
	}
	return groups
}

package notify

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// How often and how long a post is tried.
const (
	maxTries   = 5
	tryWithin  = 10 * time.Second
	firstPause = time.Second // doubles
	maxPause   = 2 * time.Minute
	busyPause  = 10 * time.Second // of a chat service that asks for patience and names no time
	maxAnswer  = 64 << 10
)

// answer is what the other side made of a try.
type answer struct {
	outcome outcome       // sent, retried (worth another try) or refused
	after   time.Duration // with retried: not before
	cause   string
}

// post sends a batch, in as many messages as its form needs.
func (h *hook) post(ctx context.Context, batch []event) {
	for len(batch) > 0 {
		spec := h.spec.Load()
		m, n := h.room.compose(spec, batch)
		if end := h.deliver(ctx, spec, m); end.outcome != sent {
			h.lost(batch[:n])
			h.room.log.Warn("webhook failed", slog.String("hook", spec.Name),
				slog.String("outcome", end.outcome.String()), slog.String("cause", end.cause))
		}
		batch = batch[n:]
	}
}

// deliver tries until a message is taken, refused or given up.
func (h *hook) deliver(ctx context.Context, spec *Hook, m message) answer {
	pause := firstPause
	for try := 1; ; try++ {
		a := h.room.try(ctx, spec, m)
		if a.outcome == retried && (try == maxTries || a.after > maxPause || ctx.Err() != nil) {
			a.outcome = failed
		}
		h.counts[a.outcome].Add(1)
		if a.outcome != retried {
			return a
		}
		select {
		case <-time.After(max(pause, a.after)):
		case <-ctx.Done():
		case <-h.quit:
			a.outcome = failed
			h.counts[failed].Add(1)
			return a
		}
		pause *= 2
	}
}

// try makes one try.
func (n *Notifier) try(ctx context.Context, spec *Hook, m message) answer {
	req, err := m.request(ctx, spec, time.Now())
	if err != nil {
		return answer{outcome: refused, cause: without(err)}
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return answer{outcome: retried, cause: without(err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{outcome: retried, cause: without(err)}
	}
	return spec.Form.judge(resp, body)
}

// without writes an error without the address, which is a credential.
func without(err error) string {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	return err.Error()
}

// busy are the codes by which chat services ask for patience.
var busy = map[Form][]int{
	Feishu:   {9499, 11232, 230020},
	DingTalk: {-1, 130101, 410100},
	WeCom:    {-1, 45009, 45033},
}

// judge reads what the other side says. Chat services answer with 200 and say
// in the body that something is wrong.
func (f Form) judge(resp *http.Response, body []byte) answer {
	a := answer{outcome: sent, cause: resp.Status}
	switch status := resp.StatusCode; {
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		a.outcome = retried
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			a.after = time.Duration(s) * time.Second
		}
		return a
	case status < 200 || status > 299:
		a.outcome = refused
	}
	codes, chat := busy[f]
	if !chat {
		return a
	}
	var said struct {
		Code    *int   `json:"code"`    // Feishu
		ErrCode *int   `json:"errcode"` // DingTalk and WeCom
		Msg     string `json:"msg"`
		ErrMsg  string `json:"errmsg"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Code == nil && said.ErrCode == nil {
		if a.outcome == sent {
			a = answer{outcome: refused, cause: "the answer is not one of this service"}
		}
		return a
	}
	code := said.Code
	if code == nil {
		code = said.ErrCode
	}
	if *code == 0 {
		return a
	}
	a = answer{outcome: refused, cause: fmt.Sprintf("code %d: %.200s%.200s", *code, said.Msg, said.ErrMsg)}
	if slices.Contains(codes, *code) {
		a.outcome, a.after = retried, busyPause
	}
	return a
}

// newID names a delivery; its tries have the same name.
func newID() string { return rand.Text() }

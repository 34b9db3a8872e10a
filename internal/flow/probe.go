package flow

import (
	"context"
	"io"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Probe sends a call of the gateway's own, paid by a given key, so that the
// room of keys learns from its answer. It waits for quota as any other call
// does, and is booked, but never sent again.
func (f *Corridor) Probe(ctx context.Context, c *call.Call, key call.Key) {
	c.Estimate = f.Estimate.Estimate(c)
	permit, err := f.Admit.Admit(ctx, c, key.Print)
	if err != nil {
		return // the next one will do
	}
	c.Attempts++
	at, no := f.send(ctx, c, attempt{key: key, permit: permit})
	if no != nil {
		return
	}
	f.note(c, at)
	if at.answer.Body == nil {
		permit.Release(time.Now())
		return
	}
	if at.answer.Verdict.Paced() {
		permit.Reject(time.Now(), at.answer.Limits, at.answer.Verdict)
	}
	resp := f.deliver(c, permit, at.answer)
	_, _ = io.Copy(io.Discard, resp.Body) // its end is what counts
	resp.Body.Close()
}

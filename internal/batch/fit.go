package batch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/weir-gateway/weir/call"
)

// fit reports whether a call may be collected: its caller can wait, and it needs
// nothing that batches lack or that one workspace alone has.
func fit(c *call.Call) bool {
	return c.Endpoint == call.Messages && c.MaxWait >= MinWait && c.Pool == "" && c.MaxTokens > 0 &&
		len(c.Body) <= maxLine && !bytes.Contains(c.Body, []byte(`"file_id"`)) && !bytes.Contains(c.Body, []byte(`"container"`))
}

// willing reports whether a call is to be collected: it is of class batch, or the
// ladder takes it as such a one and its caller stays for long enough.
func willing(c *call.Call) bool {
	_, made := c.InForce(call.RungBatches)
	return c.Class == call.Batch || made && c.Deadline.Sub(c.Received) >= MinWait
}

// begun reports whether the same request is in a batch already that the ladder
// has made: its caller has come again, and it would be paid for twice.
func (k *Collector) begun(ctx context.Context, c *call.Call, sent []byte) bool {
	if c.NoDegrade {
		return false
	}
	known, err := k.cfg.Store.find(ctx, sameness(c, formOf(c), sent))
	return err == nil && slices.ContainsFunc(known, ask.begun)
}

// form is what else than its body a request consists of; a batch has requests
// of one form.
type form struct {
	Query  string      `json:"query,omitempty"`
	Header http.Header `json:"header"`
}

func formOf(c *call.Call) string {
	_, query, _ := strings.Cut(c.Path, "?")
	f := form{Query: query, Header: http.Header{}}
	for name, values := range c.Header {
		if strings.HasPrefix(name, "Anthropic-") {
			f.Header[name] = values
		}
	}
	raw, _ := json.Marshal(f) // strings only
	return string(raw)
}

// pair is a body as it was sent by its caller, and as a batch takes it, which
// may have been edited.
type pair struct{ sent, params []byte }

// sameness is a hash of what makes a request the same as an earlier one: whether
// it is to be a stream does not, but how it is made simpler does.
func sameness(c *call.Call, form string, sent []byte) string {
	if params, err := Params(sent); err == nil {
		sent = params
	}
	h := sha256.New()
	parts := []string{c.Client, c.Tenant, form, c.Header.Get("Idempotency-Key"), string(sent)}
	simpler := c.Degraded.Rungs()
	if c.Class != call.Batch {
		simpler = append(simpler, string(call.RungBatches))
	}
	parts = append(parts, simpler...)
	for _, part := range parts {
		h.Write([]byte{byte(len(part) >> 24), byte(len(part) >> 16), byte(len(part) >> 8), byte(len(part))})
		io.WriteString(h, part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

package weir

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/keys"
	"github.com/weir-gateway/weir/internal/upstream"
)

// WithExactCounts asks the upstream's count_tokens how large a request is
// before it waits, if it is estimated above so many input tokens, or a tenth of
// that with much doubt. Counting is free and has a limit of its own, but takes
// time. 0 never counts, the default.
func WithExactCounts(above int64) Option {
	return func(s *settings) error {
		if above < 0 {
			return fmt.Errorf("requests to be counted: %d input tokens is negative", above)
		}
		s.countAbove = call.Tokens(above)
		return nil
	}
}

// counter asks the upstream to count.
type counter struct {
	keys     *keys.Room
	outlook  call.Outlook
	upstream *upstream.Room
}

const (
	countTimeout = 5 * time.Second
	countPause   = 30 * time.Second // after a failure that names no time
	maxCount     = 64 << 10         // bytes of an answer
)

// countable are the members of a request that count_tokens takes too; it
// refuses others (Anthropic Go SDK v2, MessageCountTokensParams).
var countable = map[string]bool{
	"model": true, "messages": true, "system": true, "tools": true, "tool_choice": true, "thinking": true,
	"cache_control": true, "output_config": true, "speed": true, "mcp_servers": true, "context_management": true,
	"output_format": true, "compaction": true, "billing_policy": true,
}

// count is an estimate.Counter.
func (k *counter) count(c *call.Call) (tokens call.Tokens, pause time.Duration, err error) {
	key, err := k.keys.Pick(time.Now(), c, k.outlook)
	if err != nil {
		return 0, countPause, err
	}
	body, size, err := countBody(c.Body)
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	ask := &call.Call{
		Method: http.MethodPost, Path: "/v1/messages/count_tokens", Header: countHeader(c.Header),
		Credential: c.Credential, Endpoint: call.CountTokens,
	}
	resp, err := k.upstream.Forward(ctx, ask, key, body, size)
	if err != nil {
		return 0, countPause, fmt.Errorf("count tokens: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxCount))
	if err != nil {
		return 0, countPause, fmt.Errorf("count tokens: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return 0, pauseAfter(resp), fmt.Errorf("count tokens: %s", resp.Status)
	}
	var answer struct {
		Input call.Tokens `json:"input_tokens"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return 0, countPause, fmt.Errorf("count tokens: %w", err)
	}
	return answer.Input, 0, nil
}

// pauseAfter is how long not to count after an error. One that is the
// request's own fault says nothing of the next request.
func pauseAfter(resp *http.Response) time.Duration {
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		return time.Duration(s) * time.Second
	}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return 0
	}
	return countPause
}

// countHeader drops what belongs to the body or to the answer of the request
// itself.
func countHeader(from http.Header) http.Header {
	h := from.Clone()
	for _, name := range []string{"Accept-Encoding", "Idempotency-Key", "Content-Encoding"} {
		delete(h, name)
	}
	return h
}

// countBody picks the members that count_tokens takes out of a request,
// without copying them.
func countBody(body []byte) (io.Reader, int64, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	if _, err := dec.ReadToken(); err != nil {
		return nil, 0, err
	}
	var parts []io.Reader
	size := int64(0)
	add := func(b []byte) {
		parts = append(parts, bytes.NewReader(b))
		size += int64(len(b))
	}
	separator := []byte("{")
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, 0, err
		}
		word := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, 0, err
		}
		if countable[word] {
			add(fmt.Appendf(separator, "%q:", word))
			end := dec.InputOffset()
			add(body[end-int64(len(value)) : end])
			separator = []byte(",")
		}
	}
	add([]byte("}"))
	return io.MultiReader(parts...), size, nil
}

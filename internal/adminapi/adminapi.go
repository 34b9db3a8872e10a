// Package adminapi reads the Admin API of one organization.
package adminapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Client asks for one organization. Its fields are set once; it is safe for
// concurrent use.
type Client struct {
	Upstream  string      // address of the API
	Key       call.Secret // an admin key, sk-ant-admin…
	Version   string      // anthropic-version
	Transport http.RoundTripper
}

// Reply is an answer, whatever its status.
type Reply struct {
	Status string // such as "200 OK"
	Code   int
	Header http.Header
	Body   []byte
}

// Bounds of one question.
const (
	timeout = 30 * time.Second
	maxBody = 8 << 20 // what is beyond is not read
)

// Get asks for a path, with its query.
func (c *Client) Get(ctx context.Context, path string) (Reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, call.APIBase(c.Upstream)+path, nil)
	if err != nil {
		return Reply{}, err
	}
	req.Header.Set("X-Api-Key", c.Key.Reveal())
	req.Header.Set("Anthropic-Version", c.Version)
	req.Header.Set("User-Agent", "weir")
	client := http.Client{Transport: c.Transport, Timeout: timeout}
	resp, err := client.Do(req)
	if err != nil {
		return Reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return Reply{}, fmt.Errorf("read the answer: %w", err)
	}
	return Reply{resp.Status, resp.StatusCode, resp.Header, body}, nil
}

package top

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Client reads the admin plane at URL.
type Client struct {
	URL  string // without a slash at the end
	HTTP *http.Client
}

// News is a picture, or that there is none because of Err.
type News struct {
	At      time.Time
	Picture *Picture
	Err     error
}

const (
	again    = 2 * time.Second  // from a lost connection to the next try
	silence  = 10 * time.Second // a picture comes twice a second; after so long there is nobody
	maxEvent = 32 << 20
)

// Follow tells of each picture as it comes, and of each loss of the
// connection, which it tries to mend, until ctx is done.
func (c *Client) Follow(ctx context.Context, tell func(News)) {
	for ctx.Err() == nil {
		err := c.listen(ctx, func(p *Picture) bool {
			tell(News{At: time.Now(), Picture: p})
			return true
		})
		if ctx.Err() != nil {
			return
		}
		tell(News{At: time.Now(), Err: err})
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// Picture returns the present picture.
func (c *Client) Picture(ctx context.Context) (*Picture, error) {
	var first *Picture
	err := c.listen(ctx, func(p *Picture) bool {
		first = p
		return false
	})
	if first != nil {
		return first, nil
	}
	return nil, err
}

var errSilent = errors.New("the gateway has fallen silent")

// listen reads pictures until the stream ends, or take wants no more.
func (c *Client) listen(ctx context.Context, take func(*Picture) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer watchdog.Stop()
	body, err := c.open(ctx, "/api/v1/events")
	if err != nil {
		return orCause(ctx, err)
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEvent)
	var event string
	for lines.Scan() {
		watchdog.Reset(silence)
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			event = value
		case "data":
			if event != "snapshot" {
				return fmt.Errorf("the gateway says: %s", value)
			}
			p := new(Picture)
			if err := json.Unmarshal([]byte(value), p); err != nil {
				return fmt.Errorf("the gateway's picture is not understood: %w", err)
			}
			if !take(p) {
				return nil
			}
		}
	}
	if err := lines.Err(); err != nil {
		return orCause(ctx, err)
	}
	return errors.New("the gateway ended the connection")
}

// orCause prefers why a context was ended to the error that this led to.
func orCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// open returns the body of a successful GET.
func (c *Client) open(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 300)) // what could be read will do
		return nil, fmt.Errorf("%s%s: %s %s", c.URL, path, resp.Status, said)
	}
	return resp.Body, nil
}

// Get reads what the admin plane answers at a path such as /api/v1/quota.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	body, err := c.open(ctx, path)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(io.LimitReader(body, maxEvent)).Decode(into)
}

// Figures returns what the admin plane says, as one JSON document.
func (c *Client) Figures(ctx context.Context) ([]byte, error) {
	out := map[string]json.RawMessage{}
	for _, name := range []string{"quota", "queue", "protection", "degradation", "requests"} {
		var raw json.RawMessage
		if err := c.Get(ctx, "/api/v1/"+name, &raw); err != nil {
			return nil, err
		}
		out[name] = raw
	}
	return json.MarshalIndent(out, "", "  ")
}

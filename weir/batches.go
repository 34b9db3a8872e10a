package weir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/batch"
)

// Batches says what is remembered of Message Batches, and whether calls are
// collected into them; see [WithBatches].
type Batches struct {
	// File is the store: which key made which batch, and the calls that wait
	// for one.
	File string
	// Collect answers calls of class batch whose weir-max-wait is an hour or more
	// by Message Batches, at half the price. It needs keys of the gateway's own:
	// batches outlive a restart, and the secrets of callers are not kept.
	Collect bool
	Every   time.Duration // how often a batch is made; default 1 min
	Max     int           // requests of one batch; so many do not wait for the next; default 1,000
	Keep    time.Duration // of answers that nobody comes for; default 48 h
	// Booked says which of these ids were booked in an earlier life, by the
	// observer that keeps the books. Nil: none.
	Booked func(ctx context.Context, ids []string) (map[string]bool, error)
}

// WithBatches keeps what must be known of batches in a file, and collects calls
// into batches if b says so. [Gateway.Run] makes the batches.
func WithBatches(b Batches) Option {
	return func(s *settings) error {
		if b.File == "" {
			return errors.New("batches need a file to be remembered in")
		}
		if b.Every < 0 || b.Max < 0 || b.Keep < 0 || b.Max > batch.MaxRequests {
			return fmt.Errorf("batches: times must not be negative, and at most %d requests are in one", batch.MaxRequests)
		}
		s.batches, s.classify.Own = b, rand.Text()
		return nil
	}
}

// openBatches opens the store, and makes what goes through it.
func (g *Gateway) openBatches(s *settings, book call.Observer) (err error) {
	b := s.batches
	if b.Collect && !g.pooled {
		return errors.New("calls are collected into batches only where the gateway pays with keys of its own: batches outlive a restart, and the secrets of callers are not kept")
	}
	if !g.pooled {
		return nil
	}
	keep := &sticky{keys: g.keys, owners: &batch.Owners{}, log: s.log}
	g.corridor.Bind = keep
	if b.File == "" {
		return nil
	}
	if g.batches, err = batch.OpenStore(b.File); err != nil {
		return err
	}
	keep.owners = g.batches
	if !b.Collect {
		return nil
	}
	g.collector = batch.NewCollector(batch.Config{
		Store: g.batches, Every: b.Every, Max: b.Max, Keep: b.Keep, Log: s.log,
		Keys: g.keys.Pool, Book: book.Event, Booked: b.Booked, End: g.corridor.Account.End,
		Reserve: g.reserveForBatch,
		Door:    func(print string) http.RoundTripper { return backDoor{g, print, s.classify.Own} },
	})
	g.corridor.Collect = g.collector
	return nil
}

// backDoor is the door for the gateway's own requests, which one key pays for.
type backDoor struct {
	g     *Gateway
	print string
	token string // the gateway's own
}

// RoundTrip implements [http.RoundTripper].
func (d backDoor) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	req = req.Clone(req.Context())
	req.Header.Set("X-Api-Key", d.token)
	resp, c, err := d.g.corridor.DoBound(req, d.print)
	return d.g.response(req, resp, c, err)
}

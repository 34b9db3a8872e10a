package batch

import (
	"context"
	"errors"
	"time"
)

// The Message Batches API takes no idempotency key and shows neither names nor
// custom_ids of a batch before its end. Whether a batch whose making got no
// answer is there after all can be told only by the list: one of the same size,
// made since then, that nobody here knows; and by its results, once it has
// ended.

// fate is what is known of a batch whose making got no answer.
type fate uint8

const (
	unknown fate = iota // one that may be it has not ended yet
	absent
	present
)

// unanswered is a batch whose making got no answer.
type lost struct {
	at   time.Time // when it was about to be made
	size int
	ours func(id string) bool // whether a batch is known already
	has  func(customID string) bool
}

// clockSkew is how far the API's clock may be behind ours. More of it makes
// more batches come into question, and none be missed.
const clockSkew = time.Hour

// resolve looks for a lost batch once.
func resolve(ctx context.Context, api *API, l lost) (id string, f fate, err error) {
	all, err := api.Since(ctx, l.at.Add(-clockSkew))
	if err != nil {
		return "", unknown, err
	}
	f = absent
	for _, b := range all {
		if b.Counts.Total() != l.size || l.ours(b.ID) {
			continue
		}
		if !b.Ended() {
			f = unknown
			continue
		}
		same, err := holds(ctx, api, b.ID, l)
		if err != nil {
			return "", unknown, err
		}
		if same {
			return b.ID, present, nil
		}
	}
	return "", f, nil
}

// errStranger ends the reading of somebody else's results.
var errStranger = errors.New("somebody else's batch")

// holds reports whether a batch's results are those of a lost batch.
func holds(ctx context.Context, api *API, id string, l lost) (bool, error) {
	n := 0
	err := api.Results(ctx, id, func(r Result) error {
		if !l.has(r.ID) {
			return errStranger
		}
		n++
		return nil
	})
	if errors.Is(err, errStranger) {
		return false, nil
	}
	return n == l.size, err
}

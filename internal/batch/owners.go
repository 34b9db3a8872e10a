package batch

import (
	"context"
	"sync"
)

// Owners remembers, as long as the process lives, which key made which batch.
// When it is full, the oldest is forgotten. It is safe for concurrent use; the
// zero Owners is empty.
type Owners struct {
	mu    sync.Mutex // guards the rest
	keys  map[string]string
	order []string // of batches, the oldest first
}

const maxOwners = 10_000

// Owner is the fingerprint of the key that a batch belongs to, or "".
func (o *Owners) Owner(_ context.Context, batch string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.keys[batch]
}

// Own remembers whose batches these are.
func (o *Owners) Own(_ context.Context, key string, batches ...string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.keys == nil {
		o.keys = map[string]string{}
	}
	for _, id := range batches {
		if _, known := o.keys[id]; !known {
			o.order = append(o.order, id)
		}
		o.keys[id] = key
	}
	for len(o.order) > maxOwners {
		delete(o.keys, o.order[0])
		o.order = o.order[1:]
	}
	return nil
}

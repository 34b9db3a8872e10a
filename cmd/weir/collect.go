package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/ledger"
	"github.com/weir-gateway/weir/weir"
)

// batchesOf is what the gateway is to do about Message Batches.
func batchesOf(c config.Config, l *ledger.Ledger) weir.Batches {
	b := c.Queue.Batches
	return weir.Batches{
		File:    filepath.Join(c.Data, "batches.db"),
		Collect: b.Collect && notCollected(c) == "",
		Every:   b.Every.D(), Max: b.Max, Keep: b.Keep.D(),
		Booked: func(ctx context.Context, ids []string) (map[string]bool, error) { return bookedOf(ctx, l, ids) },
	}
}

// notCollected says why calls are not collected although that is wished for,
// or "".
func notCollected(c config.Config) string {
	switch {
	case !c.Queue.Batches.Collect:
		return ""
	case c.Data == "":
		return "what waits for a batch must outlive a restart: name a folder with --data"
	case len(c.Keys) == 0:
		return "batches outlive a restart, and the keys of callers are not kept: give the gateway keys of its own"
	}
	return ""
}

// bookedSince is how far back the ledger is asked what it has booked: what was
// answered just before the gateway was killed, of batches made a day before.
const bookedSince = 4 * 24 * time.Hour

// bookedOf says which calls the ledger has.
func bookedOf(ctx context.Context, l *ledger.Ledger, ids []string) (map[string]bool, error) {
	wanted := make(map[string]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	booked := map[string]bool{}
	err := l.Reader().Each(ctx, ledger.Span{First: time.Now().Add(-bookedSince)}, func(r ledger.Row) error {
		if wanted[r.Call] {
			booked[r.Call] = true
		}
		return nil
	})
	return booked, err
}

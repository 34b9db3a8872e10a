package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
)

// book books what has been answered: each request once, whatever ends the
// process. After a start it is not sure which of them an earlier life has
// booked already, so the ledger is asked.
func (k *Collector) book(ctx context.Context) error {
	list, err := k.cfg.Store.unbooked(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		k.run.unsure = false
		return nil
	}
	booked := map[string]bool{}
	if k.run.unsure && k.cfg.Booked != nil {
		ids := make([]string, len(list))
		for i, a := range list {
			ids[i] = a.id
		}
		if booked, err = k.cfg.Booked(ctx, ids); err != nil {
			return fmt.Errorf("ask the ledger: %w", err)
		}
	}
	k.run.unsure = true // until it is marked
	names := map[string]string{}
	for _, key := range k.cfg.Keys() {
		names[key.Print] = key.Name
	}
	batches := map[int64]cutBatch{}
	for _, a := range list {
		if a.result.Type != Succeeded || booked[a.id] {
			k.spend(a.id, call.Usage{Exact: true})
			continue // errors cost nothing
		}
		k.spend(a.id, usageOf(a.result.Raw))
		b, ok := batches[a.batch]
		if !ok {
			if b, err = k.cfg.Store.batch(ctx, a.batch); err != nil {
				return err
			}
			batches[a.batch] = b
		}
		name := names[b.key]
		if name == "" {
			name = b.key // it has left the pool
		}
		k.cfg.Book(eventOf(a, b, name))
	}
	if err := k.cfg.Store.booked(ctx, list); err != nil {
		return err
	}
	k.run.unsure = false
	return nil
}

// eventOf is what a request by a batch has cost, as an event of its own: the
// calls of those who waited for it cost nothing.
func eventOf(a ask, b cutBatch, key string) call.Event {
	now := time.Now()
	return call.Event{
		ID: a.id, At: now, Endpoint: call.Messages, Model: a.model, Tenant: a.tenant, Client: a.client, Class: call.Batch,
		Status: http.StatusOK, Outcome: "ok", Reason: "batch", Waited: b.at.Sub(a.at), Took: now.Sub(a.at), Attempts: 1,
		Usage: usageOf(a.result.Raw),
		Story: []call.Attempt{{At: b.at, Wait: call.Wait{Took: b.at.Sub(a.at), BoundBy: "batch"}, Key: key, Status: http.StatusOK, Kind: call.OK.String(), Took: now.Sub(b.at)}},
	}
}

// usageOf reads the usage of a result. A batch costs half.
func usageOf(raw []byte) call.Usage {
	var r struct {
		Message struct {
			Model string
			Usage message.Usage
		}
	}
	err := json.Unmarshal(raw, &r)
	return r.Message.Usage.Over(call.Usage{Batch: true, Model: r.Message.Model, Exact: err == nil})
}

package batch

import "context"

// Report counts what is collected, for the metrics.
func (k *Collector) Report(ctx context.Context) (r Report, err error) {
	c, err := k.cfg.Store.counts(ctx)
	if err != nil {
		return r, err
	}
	open, err := k.cfg.Store.open(ctx)
	return Report{Waiting: c.waiting, Queued: c.queued, Ready: c.ready, Batches: len(open)}, err
}

// Report is how much is collected.
type Report struct {
	Waiting int // requests in no batch yet
	Queued  int // in a batch that has not ended
	Ready   int // answered, and not delivered
	Batches int // that have not ended
}

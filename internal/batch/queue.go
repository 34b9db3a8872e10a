package batch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Queue answers the requests of a file one by one. Behind a gateway they wait
// in its lowest class.
type Queue struct {
	API         *API
	Concurrency int           // requests under way at once
	Grace       time.Duration // for those under way when the run is stopped
	Progress    *Progress
}

// Delays of repeats, with full jitter.
const (
	repeatBase = 500 * time.Millisecond
	repeatCap  = 30 * time.Second
	syncEvery  = time.Second
	maxOdd     = 5 // answers to one request that are no JSON
)

// FatalError says that nothing more can be answered before somebody does
// something.
type FatalError struct{ Cause error }

// Error is the cause's.
func (e *FatalError) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *FatalError) Unwrap() error { return e.Cause }

// Run asks for what out lacks. It returns when all is answered, when ctx is
// done and those under way have ended, or with a [*FatalError].
func (q *Queue) Run(ctx context.Context, in *Input, out *Output) error {
	asking, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	unhook := context.AfterFunc(ctx, func() {
		time.AfterFunc(q.Grace, func() { stop(ctx.Err()) })
	})
	defer unhook()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range max(1, q.Concurrency) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= in.Len() {
					return
				}
				if out.Has(in.ID(i)) {
					continue
				}
				if err := q.one(ctx, asking, in, out, i); err != nil {
					end(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	err := syncUntil(done, out)
	if cause := context.Cause(ctx); ctx.Err() != nil {
		return cause
	}
	return err
}

// syncUntil syncs the results every now and then.
func syncUntil(done <-chan struct{}, out *Output) error {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return out.Sync()
		case <-tick.C:
			if err := out.Sync(); err != nil {
				<-done
				return err
			}
		}
	}
}

// one asks until there is a result, or ctx is done and the request is not
// under way. An error is one that no other request can get past either.
func (q *Queue) one(ctx, asking context.Context, in *Input, out *Output, i int) error {
	params, err := in.Params(i)
	if err != nil {
		return err
	}
	id, odd := in.ID(i), 0
	for repeat := 0; ; repeat++ {
		q.Progress.update(func(s *State) { s.UnderWay++ })
		message, err := q.API.Ask(asking, params)
		q.Progress.update(func(s *State) { s.UnderWay-- })
		if err == nil {
			return q.put(out, succeeded(id, message))
		}
		f, _ := errors.AsType[*Failure](err)
		switch {
		case asking.Err() != nil:
			return context.Cause(asking)
		case f.Fatal():
			return &FatalError{err}
		case !f.Transient():
			return q.put(out, errored(id, f.Body))
		}
		if errors.Is(err, errNoJSON) {
			if odd++; odd > maxOdd {
				return q.put(out, errored(id, errorBody("api_error", err.Error())))
			}
		}
		q.Progress.update(func(s *State) { s.Repeats++; s.Note = fmt.Sprintf("waiting after %v", err) })
		if !pause(ctx, max(f.Verdict.RetryAfter, jitter(repeat))) {
			return nil
		}
		q.Progress.update(func(s *State) { s.Note = "" })
	}
}

func (q *Queue) put(out *Output, r Result) error {
	fresh, err := out.Put(r)
	if fresh {
		q.Progress.finished(r)
	}
	return err
}

// jitter is a random time below a bound that doubles.
func jitter(repeat int) time.Duration {
	bound := min(repeatCap, repeatBase<<min(repeat, 10))
	return bound/10 + rand.N(bound)
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Config says where the ledger is and how long it remembers.
type Config struct {
	Dir  string        // its folder, which belongs to one process at a time
	Keep time.Duration // of attempts; sums by day stay. Default 90 days
	Log  *slog.Logger
}

// How the journal is carried over into the store.
const (
	batchRows   = 2000
	batchEvery  = 50 * time.Millisecond
	retryAfter  = 2 * time.Second
	forgetEvery = time.Hour
	defaultKeep = 90 * 24 * time.Hour
)

// Ledger writes rows. It implements [call.Observer] and is safe for concurrent
// use.
type Ledger struct {
	cfg   Config
	lock  *os.File
	store *database
	wake  chan struct{} // capacity 1

	mu      sync.Mutex // guards the rest
	journal *journal   // nil once the ledger is closed
	failed  error      // of the latest row, nil if it was written

	done mark // owned by Run
}

// Open opens the ledger of a folder, and makes the folder if need be. It must
// be closed.
func Open(cfg Config) (*Ledger, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Keep <= 0 {
		cfg.Keep = defaultKeep
	}
	l := &Ledger{cfg: cfg, wake: make(chan struct{}, 1)}
	if err := l.open(); err != nil {
		l.Close()
		return nil, fmt.Errorf("ledger in %s: %w", cfg.Dir, err)
	}
	return l, nil
}

func (l *Ledger) open() (err error) {
	if err := os.MkdirAll(l.cfg.Dir, 0o700); err != nil {
		return err
	}
	if l.lock, err = lock(filepath.Join(l.cfg.Dir, "lock")); err != nil {
		return err
	}
	if l.store, err = openDatabase(l.cfg.Dir, false); err != nil {
		return err
	}
	if l.done, err = l.store.done(context.Background()); err != nil {
		return err
	}
	l.journal, err = openJournal(l.cfg.Dir, l.done)
	return err
}

var errClosed = errors.New("the ledger has been closed")

// Event implements [call.Observer]. The rows are safe from the end of this
// process when it returns.
func (l *Ledger) Event(e call.Event) {
	rows := rowsOf(e)
	if len(rows) == 0 {
		return
	}
	l.mu.Lock()
	err := errClosed
	if l.journal != nil {
		err = l.journal.append(rows)
	}
	first := err != nil && l.failed == nil
	l.failed = err
	l.mu.Unlock()
	if first {
		l.cfg.Log.Error("the ledger cannot be written: calls go on unbooked", "cause", err)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Run carries the journal over into the store until ctx is done, and then what
// is left.
func (l *Ledger) Run(ctx context.Context) error {
	forget := time.NewTicker(forgetEvery)
	defer forget.Stop()
	l.forget(ctx)
	for {
		more, err := l.carry(ctx)
		wait := time.Duration(0)
		switch {
		case ctx.Err() != nil:
			return l.finish()
		case err != nil:
			l.cfg.Log.Error("the ledger's journal waits: the store does not take it", "cause", err)
			wait = retryAfter
		case !more:
			select {
			case <-ctx.Done():
				return l.finish()
			case <-forget.C:
				l.forget(ctx)
			case <-l.wake:
				wait = batchEvery // let a few come together
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// carry moves one batch, and says whether there may be another one at once.
func (l *Ledger) carry(ctx context.Context) (more bool, err error) {
	rows, end, broken, err := tail(l.cfg.Dir, l.done, batchRows)
	if err != nil {
		return false, err
	}
	if broken > 0 {
		l.cfg.Log.Error("rows of the ledger's journal cannot be read", "rows", broken)
	}
	if len(rows) == 0 && !l.done.before(end) {
		return false, nil
	}
	if err := l.store.take(ctx, rows, end); err != nil {
		return false, err
	}
	l.done = end
	return len(rows) == batchRows, drop(l.cfg.Dir, end)
}

// finish carries over what is left after the end of everything else. What it
// has no time for waits in the journal for the next life.
func (l *Ledger) finish() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for {
		more, err := l.carry(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil || !more {
			return err
		}
	}
}

func (l *Ledger) forget(ctx context.Context) {
	if _, err := l.store.forget(ctx, time.Now().Add(-l.cfg.Keep)); err != nil && ctx.Err() == nil {
		l.cfg.Log.Error("old rows of the ledger cannot be removed", "cause", err)
	}
}

// Close gives the folder back. Rows that are in the journal alone stay there.
func (l *Ledger) Close() error {
	var errs []error
	l.mu.Lock()
	if l.journal != nil {
		errs = append(errs, l.journal.close())
		l.journal = nil
	}
	l.mu.Unlock()
	if l.store != nil {
		errs = append(errs, l.store.close())
	}
	if l.lock != nil {
		errs = append(errs, l.lock.Close())
	}
	return errors.Join(errs...)
}

package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/files"
)

// Config says where the ledger is and how long it remembers.
type Config struct {
	Dir        string        // its folder, which belongs to one process at a time
	Keep       time.Duration // of attempts; sums by day stay. Default 90 days
	Postgres   call.Secret   // address of the store; empty: a file in the folder
	MaxJournal int64         // bytes that the store has not taken yet; default 1 GiB
	Log        *slog.Logger
}

// How the journal is carried over into the store.
const (
	batchRows   = 2000
	batchEvery  = 50 * time.Millisecond
	retryAfter  = 2 * time.Second
	takeWithin  = 30 * time.Second // a batch, or it is tried again
	lastTries   = 3                // at the end
	forgetEvery = time.Hour
	forgetPiece = 5000
	defaultKeep = 90 * 24 * time.Hour
	maxJournal  = 1 << 30
)

// Ledger writes rows. It implements [call.Ledger] and is safe for concurrent
// use.
type Ledger struct {
	cfg   Config
	lock  *os.File
	store store
	wake  chan struct{} // capacity 1

	mu      sync.Mutex // guards the rest
	journal *journal   // nil once the ledger is closed
	desk    desk

	// Owned by Run.
	done  mark
	ahead chan batch // that is being read; nil: none
}

// Open opens the ledger of a folder, and makes the folder if need be. A store
// elsewhere need not be there yet. It must be closed.
func Open(cfg Config) (*Ledger, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Keep <= 0 {
		cfg.Keep = defaultKeep
	}
	cfg.MaxJournal = cmp.Or(cfg.MaxJournal, maxJournal)
	l := &Ledger{cfg: cfg, wake: make(chan struct{}, 1)}
	if err := l.open(); err != nil {
		l.Close()
		return nil, fmt.Errorf("ledger in %s: %w", cfg.Dir, err)
	}
	return l, nil
}

// lockFolder makes a folder belong to this process until the file is closed.
func lockFolder(dir string) (*os.File, error) {
	f, err := files.Lock(filepath.Join(dir, "lock"))
	if errors.Is(err, files.ErrTaken) {
		err = errors.New("another Weir is using it: stop that one, or give this one a data folder of its own")
	}
	return f, err
}

func (l *Ledger) open() (err error) {
	if err := os.MkdirAll(l.cfg.Dir, 0o700); err != nil {
		return err
	}
	if l.lock, err = lockFolder(l.cfg.Dir); err != nil {
		return err
	}
	if l.store, err = openStore(l.cfg); err != nil {
		return err
	}
	if l.done, err = l.store.done(context.Background()); err != nil {
		return err
	}
	if l.desk.backlog, err = size(l.cfg.Dir, l.done); err != nil {
		return err
	}
	if l.desk.backlog > 0 {
		l.desk.waiting = time.Now() // how long it had waited before, nobody knows
	}
	l.journal, err = openJournal(l.cfg.Dir, l.done)
	return err
}

// openStore opens the store for the process that writes it. An interface that
// holds a nil pointer would be closed.
func openStore(cfg Config) (store, error) {
	if !cfg.Postgres.Empty() {
		p, err := openPostgres(cfg.Postgres, cfg.Dir)
		if err != nil {
			return nil, err
		}
		if p.gateway, err = identity(cfg.Dir); err != nil {
			return nil, errors.Join(err, p.close())
		}
		return p, nil
	}
	d, err := openDatabase(cfg.Dir, false)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Run carries the journal over into the store until ctx is done, and then what
// is left.
func (l *Ledger) Run(ctx context.Context) error {
	forget, retry := time.NewTicker(forgetEvery), time.NewTicker(retryAfter)
	defer forget.Stop()
	defer retry.Stop()
	l.forget(ctx)
	for {
		l.unload()
		more, err := l.carry(ctx)
		if ctx.Err() != nil {
			return l.finish()
		}
		l.judge(err)
		wait := retry.C
		switch {
		case more:
			continue
		case err == nil:
			select {
			case <-ctx.Done():
				return l.finish()
			case <-forget.C:
				l.forget(ctx)
			case <-retry.C:
			case <-l.wake:
				wait = time.After(batchEvery) // let a few come together
			}
			if wait == retry.C {
				continue
			}
		}
		select {
		case <-ctx.Done():
		case <-wait:
		}
	}
}

// batch is what was read of the journal at once.
type batch struct {
	rows   []Row
	end    mark
	broken int // rows that cannot be read
	began  time.Time
	err    error
}

func (l *Ledger) read(from mark) (b batch) {
	b.began = time.Now()
	b.rows, b.end, b.broken, b.err = tail(l.cfg.Dir, from, batchRows)
	return b
}

// next is the batch behind done. While the store takes it, the one after it is
// read.
func (l *Ledger) next() (b batch) {
	if l.ahead != nil {
		b, l.ahead = <-l.ahead, nil
	} else {
		b = l.read(l.done)
	}
	if b.err == nil && len(b.rows) == batchRows {
		ahead := make(chan batch, 1)
		go func() { ahead <- l.read(b.end) }()
		l.ahead = ahead
	}
	return b
}

// carry moves one batch, and says whether there may be another one at once.
func (l *Ledger) carry(ctx context.Context) (more bool, err error) {
	b := l.next()
	if b.err != nil {
		return false, b.err
	}
	if len(b.rows) == 0 && !l.done.before(b.end) {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, takeWithin)
	defer cancel()
	if err := l.store.take(ctx, b.rows, b.end); err != nil {
		if l.ahead != nil {
			<-l.ahead
			l.ahead = nil // this one comes before it
		}
		return false, err
	}
	if b.broken > 0 {
		l.spoilt(b.broken)
	}
	l.done = b.end
	if more = len(b.rows) == batchRows; more {
		b.began = b.rows[len(b.rows)-1].At // what follows is hardly older
	}
	return more, cmp.Or(drop(l.cfg.Dir, l.done), l.carried(len(b.rows), l.done, b.began))
}

// finish carries over what is left after the end of everything else. What it
// has no time for, or the store does not take, waits in the journal for the
// next life.
func (l *Ledger) finish() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	l.unload()
	for tries := lastTries; ; {
		more, err := l.carry(ctx)
		switch tries--; {
		case ctx.Err() != nil:
			return nil
		case err == nil && !more:
			return nil
		case err == nil:
			tries = lastTries
		case tries == 0:
			l.cfg.Log.Warn("records of the ledger wait in its journal for the next start", "cause", err, "journal_bytes", l.Report().JournalBytes)
			return err
		default: // a connection that had been lost is made anew
			time.Sleep(batchEvery)
		}
	}
}

// forget removes old attempts, a piece at a time so that nobody waits for long.
func (l *Ledger) forget(ctx context.Context) {
	for n := int64(forgetPiece); n == forgetPiece; {
		var err error
		if n, err = l.store.forget(ctx, time.Now().Add(-l.cfg.Keep), forgetPiece); err != nil && ctx.Err() == nil {
			l.cfg.Log.Warn("old rows of the ledger cannot be removed; they will be an hour later", "cause", err)
			return
		}
	}
}

// Close gives the folder back. Rows that are in the journal alone stay there.
func (l *Ledger) Close() error {
	var errs []error
	l.unload() // the last chance
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

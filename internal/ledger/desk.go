package ledger

import (
	"errors"
	"fmt"
	"time"

	"github.com/weir-gateway/weir/call"
)

// desk is where rows lie between a call and the store: in the journal, or in
// memory while that cannot be written. The ledger's lock guards it.
type desk struct {
	held    []Row     // which the journal has not taken, in their order
	backlog int64     // bytes of the journal that the store has not taken
	waiting time.Time // when the oldest row came that the store lacks; zero: none
	journal error     // why rows are held
	store   error     // why the journal waits
	since   time.Time // of store

	booked, carried, lost uint64
}

// maxHeld bounds the rows in memory: some 10 MB.
const maxHeld = 20_000

// lateAfter is when people are told that the store lags behind.
const lateAfter = time.Minute

var (
	errClosed = errors.New("the ledger has been closed")
	errFull   = errors.New("the journal has reached its bound, because the store takes nothing")
)

// Event implements [call.Observer]. The rows are safe from the end of this
// process when it returns, unless the journal cannot be written: then they wait
// in memory for it, and what has no room there is lost, and counted.
func (l *Ledger) Event(e call.Event) {
	rows := rowsOf(e)
	if len(rows) == 0 {
		return
	}
	l.mu.Lock()
	d := &l.desk
	first := d.journal == nil
	if len(d.held) == 0 {
		d.journal = l.write(rows)
	}
	kept := true
	if d.journal != nil {
		kept = d.hold(rows, l.journal == nil)
	}
	why, lost := d.journal, d.lost
	l.mu.Unlock()
	switch {
	case !kept && lost == uint64(len(rows)):
		l.cfg.Log.Error("records of the ledger are lost: neither the journal nor memory has room for them", "cause", why)
	case why != nil && first:
		l.cfg.Log.Error("the ledger's journal cannot be written: records wait in memory", "cause", why)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// write appends rows to the journal, if that is not too far ahead of the store.
func (l *Ledger) write(rows []Row) error {
	d := &l.desk
	switch {
	case l.journal == nil:
		return errClosed
	case d.backlog >= l.cfg.MaxJournal:
		return errFull
	}
	before := l.journal.at
	if err := l.journal.append(rows); err != nil {
		return err
	}
	if l.journal.at.Segment != before.Segment {
		before.Offset = 0
	}
	d.backlog += l.journal.at.Offset - before.Offset
	d.booked += uint64(len(rows))
	if d.waiting.IsZero() {
		d.waiting = time.Now()
	}
	return nil
}

// hold keeps rows in memory, or counts them as lost.
func (d *desk) hold(rows []Row, closed bool) (kept bool) {
	if closed || len(d.held)+len(rows) > maxHeld {
		d.lost += uint64(len(rows))
		return false
	}
	d.held = append(d.held, rows...)
	if d.waiting.IsZero() {
		d.waiting = time.Now()
	}
	return true
}

// unload writes what lies in memory into the journal, now that it may go again.
func (l *Ledger) unload() {
	l.mu.Lock()
	d := &l.desk
	n := len(d.held)
	for len(d.held) > 0 {
		piece := min(len(d.held), batchRows)
		if d.journal = l.write(d.held[:piece]); d.journal != nil {
			break
		}
		d.held = d.held[piece:]
	}
	left, lost := len(d.held), d.lost
	if left == 0 {
		d.held = nil
	}
	l.mu.Unlock()
	if n > 0 && left == 0 {
		l.cfg.Log.Warn("the ledger's journal can be written again", "from_memory", n, "lost_since_the_start", lost)
	}
}

// carried notes that the store has taken rows up to a place. Whatever came
// before that time is among them.
func (l *Ledger) carried(rows int, end mark, began time.Time) error {
	n, err := size(l.cfg.Dir, end)
	l.mu.Lock()
	defer l.mu.Unlock()
	d := &l.desk
	d.carried += uint64(rows)
	if err == nil {
		d.backlog = n
	}
	switch {
	case l.journal != nil && !end.before(l.journal.at) && len(d.held) == 0:
		d.waiting, d.backlog = time.Time{}, 0
	case began.After(d.waiting):
		d.waiting = began
	}
	return err
}

// spoilt counts rows of the journal that cannot be read.
func (l *Ledger) spoilt(rows int) {
	l.cfg.Log.Error("records of the ledger are lost: the journal cannot be read where they are", "rows", rows)
	l.mu.Lock()
	l.desk.lost += uint64(rows)
	l.mu.Unlock()
}

// judge notes whether the store has taken what it was given, and says so when
// that changes.
func (l *Ledger) judge(err error) {
	l.mu.Lock()
	d := &l.desk
	before, since := d.store, d.since
	if d.store = err; err != nil && before == nil {
		d.since = time.Now()
	}
	backlog := d.backlog
	l.mu.Unlock()
	switch {
	case err != nil && before == nil:
		l.cfg.Log.Error("the ledger's store does not take records: they wait in the journal", "cause", err, "journal_bytes", backlog)
	case err == nil && before != nil:
		l.cfg.Log.Warn("the ledger's store takes records again", "after", time.Since(since).Round(time.Second), "journal_bytes", backlog)
	}
}

// Report implements [call.Ledger].
func (l *Ledger) Report() call.LedgerReport {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := &l.desk
	r := call.LedgerReport{Booked: d.booked, Carried: d.carried, Lost: d.lost, Held: len(d.held), JournalBytes: d.backlog}
	if !d.waiting.IsZero() {
		r.Behind = time.Since(d.waiting)
	}
	return r
}

// Warning says what is wrong with the ledger, or nil. It keeps nobody from
// serving.
func (l *Ledger) Warning() error {
	r := l.Report()
	l.mu.Lock()
	defer l.mu.Unlock()
	d := &l.desk
	var errs []error
	if d.lost > 0 {
		errs = append(errs, fmt.Errorf("ledger: %d records are lost since the start", d.lost))
	}
	if d.journal != nil {
		errs = append(errs, fmt.Errorf("ledger: the journal cannot be written, %d records wait in memory: %w", len(d.held), d.journal))
	}
	if r.Behind >= lateAfter {
		late := fmt.Errorf("ledger: the store is %v and %d bytes behind", r.Behind.Round(time.Second), d.backlog)
		if d.store != nil {
			late = fmt.Errorf("%w: %w", late, d.store)
		}
		errs = append(errs, late)
	}
	return errors.Join(errs...)
}

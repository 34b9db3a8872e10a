package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// Patience is how long an upstream may send nothing before its call counts as
// failed. Any byte is a sign of life, and so is a ping; while the client does
// not read, nothing is expected.
type Patience struct {
	Begin   time.Duration // until the first byte of a stream; default 5 min
	Silence time.Duration // from then on, and within errors; default 1 min
	Whole   time.Duration // for answers that come in one piece; default 10 min
}

const (
	defaultBegin   = 5 * time.Minute
	defaultSilence = time.Minute
	defaultWhole   = 10 * time.Minute
)

// stalled says that an upstream fell silent. As a time-out it can be told from
// a connection that broke.
type stalled struct{ patience time.Duration }

// Error implements error.
func (s *stalled) Error() string {
	return fmt.Sprintf("the API sent nothing for %v", s.patience)
}

// Timeout reports true, as time-outs of package net do.
func (s *stalled) Timeout() bool { return true }

// watch ends an attempt whose upstream has fallen silent, by cancelling its
// context, which closes the connection. It has no goroutine: one timer looks
// now and then how long the present read has been waiting.
type watch struct {
	ctx    context.Context // of the caller
	cancel context.CancelCauseFunc
	born   time.Time
	timer  *time.Timer
	since  atomic.Int64 // when the present wait began, after born; idle if none
	limit  atomic.Int64 // how long a wait may last
	fired  atomic.Pointer[stalled]
	over   atomic.Bool   // nothing is to be watched any more
	body   io.ReadCloser // once there is an answer
	later  time.Duration // the limit from the first byte on
}

// idle stands for no wait under way.
const idle = -1

// newWatch begins to wait for an answer, for limit at most. Its context is the
// one to send with.
func newWatch(ctx context.Context, limit time.Duration) (context.Context, *watch) {
	w := &watch{ctx: ctx, born: time.Now()}
	w.limit.Store(int64(limit))
	ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(limit, w.look)
	return ctx, w
}

// answered says that the head has come, and lets the body be read through w:
// its first byte within first, and each further one within silence.
func (w *watch) answered(body io.ReadCloser, first, silence time.Duration) {
	w.since.Store(idle)
	w.body, w.later = body, silence
	w.limit.Store(int64(first))
	w.timer.Reset(first)
}

// look cancels the attempt if the wait has lasted too long, and otherwise
// looks again when it would have.
func (w *watch) look() {
	limit, since := time.Duration(w.limit.Load()), w.since.Load()
	if w.over.Load() {
		return
	}
	left := limit
	if since != idle {
		left -= time.Since(w.born) - time.Duration(since)
	}
	if left > 0 {
		w.timer.Reset(left)
		return
	}
	s := &stalled{limit}
	w.fired.Store(s)
	w.cancel(s)
}

// Read implements [io.Reader].
func (w *watch) Read(p []byte) (int, error) {
	w.since.Store(int64(time.Since(w.born)))
	n, err := w.body.Read(p)
	w.since.Store(idle)
	if n > 0 && w.later != 0 {
		w.shorten()
	}
	if err != nil {
		w.timer.Stop()
		err = w.why(err)
	}
	return n, err
}

// shorten goes over to the limit that holds from the first byte on. A timer set
// for a longer one would look too late.
func (w *watch) shorten() {
	w.limit.Store(int64(w.later))
	w.timer.Reset(w.later)
	w.later = 0
}

// Close implements [io.Closer].
func (w *watch) Close() error {
	err := w.body.Close()
	w.end()
	return err
}

// end gives back what the watch holds.
func (w *watch) end() {
	w.over.Store(true)
	w.timer.Stop()
	w.cancel(nil)
}

// why tells an error that the watch or the caller brought about from one of
// the upstream's own.
func (w *watch) why(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	if s := w.fired.Load(); s != nil {
		return s
	}
	if gone := w.ctx.Err(); gone != nil {
		return gone
	}
	return err
}

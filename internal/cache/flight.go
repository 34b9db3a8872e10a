package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// asker asks the upstream.
type asker = func(context.Context, *call.Call) (*http.Response, error)

// maxLog is how much of an answer is held for those who read it slowly. Of a
// longer one nothing is kept, nobody joins it any more, and the upstream is
// read no faster than by the slowest.
const maxLog = 32 << 20

// kin is what calls have in common that one answer can serve: the key, and how
// they wait for it.
type kin struct {
	key       key
	class     call.Class
	wait      time.Duration // weir-max-wait
	noDegrade bool
	rungs     string // of the ladder that are in force
	models    string // that the caller may use: another one may answer in place of what was asked for
}

// flight is one asking of the upstream, and those who want its answer. It goes
// on as long as anybody does.
type flight struct {
	room   *Room
	kin    kin
	owner  owner
	asked  time.Time
	leader string     // id of the call that is sent
	call   *call.Call // that is sent; owned by run
	cancel context.CancelFunc

	ready chan struct{}  // closed when the answer begins, or there is none
	told  *call.Call     // what has become of the call; set before ready is closed
	resp  *http.Response // its body is run's
	err   error

	long  chan struct{} // closed when the answer is beyond maxLog
	done  chan struct{} // closed when nothing more comes
	whole bool          // the answer came to its end; set before done is closed

	// Guarded by the room's mu.
	wanted int  // how many want the answer
	keep   bool // one of them wants it to be kept

	mu      sync.Mutex // guards everything below
	readers map[*reader]bool
	log     []byte        // of the body, from byte base on
	base    int           // 0 but of an answer beyond maxLog
	moved   chan struct{} // closed, and replaced, when there is more to read, or more place
	end     error         // how the body has ended; nil: not yet
	event   call.Event    // as it was booked
}

// newFlight returns a flight that asks for a copy of c.
func (r *Room) newFlight(c *call.Call, k kin, keep bool) *flight {
	f := &flight{
		room: r, kin: k, owner: r.ownerOf(c.Tenant), asked: time.Now(), leader: c.ID, call: c.Clone(), cancel: func() {},
		ready: make(chan struct{}), long: make(chan struct{}), done: make(chan struct{}), moved: make(chan struct{}),
		readers: map[*reader]bool{}, wanted: 1, keep: keep,
	}
	f.call.Cached = call.CacheMiss
	f.call.Header = c.Header.Clone()
	f.call.Header.Set("Accept-Encoding", "identity") // what is replayed must be in clear
	return f
}

// start asks in the background. It returns the body for the one who began it,
// which is there even before the answer is.
func (f *flight) start(ctx context.Context, ask asker) *reader {
	body := f.read(ctx, nil)
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go f.run(ctx, ask)
	return body
}

// run asks, and reads the answer to its end.
func (f *flight) run(ctx context.Context, ask asker) {
	defer f.cancel()
	f.room.airborne.Store(f.leader, f)
	defer f.room.airborne.Delete(f.leader)
	f.resp, f.err = ask(ctx, f.call)
	f.told = f.call.Clone()
	if f.err != nil || !forAll(f.resp.StatusCode) {
		f.room.ground(f) // those who try again are to find another one
	}
	close(f.ready)
	if f.err != nil {
		close(f.done)
		return
	}
	f.pump(ctx)
}

// pump reads the answer's body into the log, and keeps it if it is to be kept.
// Whoever asks behind its end finds it.
func (f *flight) pump(ctx context.Context) {
	defer f.resp.Body.Close()
	chunk := make([]byte, 32<<10)
	total := 0
	for {
		n, err := f.resp.Body.Read(chunk)
		if total += n; total > maxLog && total-n <= maxLog {
			f.room.ground(f)
			close(f.long)
		}
		f.add(ctx, chunk[:n])
		if err == nil {
			continue
		}
		f.whole = errors.Is(err, io.EOF) && f.booked().Outcome == "ok"
		if f.whole && total <= maxLog {
			f.room.keep(f)
		}
		f.room.ground(f)
		f.mu.Lock()
		f.end = err
		f.wake()
		f.mu.Unlock()
		close(f.done)
		return
	}
}

// add writes to the log. Where that is full it waits until half of it has been
// read by everybody.
func (f *flight) add(ctx context.Context, p []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.log)+len(p) > maxLog {
		read := len(f.log)
		for b := range f.readers {
			read = min(read, b.at-f.base)
		}
		if read >= maxLog/2 {
			f.log, f.base = bytes.Clone(f.log[read:]), f.base+read
			continue
		}
		moved := f.moved
		f.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done(): // nobody reads it
		}
		f.mu.Lock()
		if ctx.Err() != nil {
			return
		}
	}
	if len(p) > 0 {
		f.log = append(f.log, p...)
		f.wake()
	}
}

// wake tells those who wait that something has changed. The caller holds f.mu.
func (f *flight) wake() {
	close(f.moved)
	f.moved = make(chan struct{})
}

// book takes the event of the call that was sent. It comes before the end of
// the body does.
func (f *flight) book(e call.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.event = e
}

func (f *flight) booked() call.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.event
}

package batch

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Batches answers the requests of a file by the Message Batches API. A batch is
// announced in the journal before it is made, so that after a kill it is looked
// for instead of made again.
type Batches struct {
	API      *API
	State    string // file of the journal
	Size     int    // requests of one batch; default 10,000
	Open     int    // batches under way at once; default 10
	Settle   time.Duration
	Progress *Progress

	in  *Input
	out *Output
	j   *journal
	cut int // what is before it is in a batch or finished
	// queueFull is when the API had no room for another batch.
	queueFull time.Time
	absent    map[int]time.Time // lost batches that were not there, since when
	tries     map[int]int       // readings of results that lacked some, by batch
}

// Defaults and times of [Batches].
const (
	defaultSize   = 10_000
	defaultOpen   = 10
	defaultSettle = 30 * time.Second
	firstPoll     = time.Second
	lastPoll      = time.Minute
	fullWait      = 30 * time.Second
	maxReadings   = 5
)

// Run makes batches of what out lacks, and writes their results. It returns when
// all is answered, when ctx is done, or with a [*FatalError].
func (b *Batches) Run(ctx context.Context, in *Input, out *Output) (err error) {
	b.in, b.out = in, out
	b.absent, b.tries = map[int]time.Time{}, map[int]int{}
	b.Size = min(cmp.Or(b.Size, defaultSize), MaxRequests)
	b.Open, b.Settle = cmp.Or(b.Open, defaultOpen), cmp.Or(b.Settle, defaultSettle)
	if b.j, err = openJournal(b.State); err != nil {
		return err
	}
	defer b.j.close()
	if len(b.j.open()) > 0 && b.j.sum != in.Sum {
		return errors.New("the file of requests has changed while batches of it are under way: finish with the old one first")
	}
	if b.j.sum != in.Sum {
		if err := b.j.write(entry{Input: in.Sum}); err != nil {
			return err
		}
	}
	for repeat := 0; ; {
		left, err := b.round(ctx)
		if err == nil && !left {
			return out.Sync()
		}
		wait := b.pollIn()
		switch f, failed := errors.AsType[*Failure](err); {
		case ctx.Err() != nil:
			return ctx.Err()
		case failed && f.Transient():
			b.Progress.update(func(s *State) { s.Repeats++; s.Note = fmt.Sprintf("waiting after %v", err) })
			wait = max(f.Verdict.RetryAfter, jitter(repeat))
			repeat++
		case failed:
			return &FatalError{err}
		case err != nil:
			return err
		default:
			repeat = 0
		}
		if !pause(ctx, wait) {
			return ctx.Err()
		}
	}
}

// round does what can be done now, and reports whether anything is left.
func (b *Batches) round(ctx context.Context) (left bool, err error) {
	for _, m := range b.j.open() {
		if m.state == intended {
			err = b.find(ctx, m)
		} else {
			err = b.look(ctx, m)
		}
		if err != nil {
			return true, err
		}
	}
	for len(b.j.open()) < b.Open && time.Since(b.queueFull) > fullWait {
		spans, body, err := b.next()
		if err != nil {
			return true, err
		}
		if len(spans) == 0 {
			return len(b.j.open()) > 0, nil
		}
		if err := b.make(ctx, spans, body); err != nil {
			return true, err
		}
	}
	return true, nil
}

// pollIn is when to look again: often at first, for batches may be quick.
func (b *Batches) pollIn() time.Duration {
	wait := lastPoll
	for _, m := range b.j.open() {
		wait = min(wait, max(firstPoll, time.Since(m.at)/20))
	}
	return wait
}

// next cuts the next batch: requests that are neither finished nor in another
// batch, as many as one may hold.
func (b *Batches) next() (spans []span, body []byte, err error) {
	taken := b.taken()
	buf := bytes.NewBufferString(`{"requests":[`)
	n := 0
	for i := b.cut; i < b.in.Len() && n < b.Size; i++ {
		if b.out.Has(b.in.ID(i)) || taken(i) {
			if n == 0 {
				b.cut = i + 1
			}
			continue
		}
		params, err := b.in.Params(i)
		if err != nil {
			return nil, nil, err
		}
		if n > 0 && buf.Len()+len(params) > maxBytes {
			break
		}
		appendRequest(buf, n, b.in.ID(i), params)
		if last := len(spans) - 1; last >= 0 && spans[last].To == i {
			spans[last].To++
		} else {
			spans = append(spans, span{i, i + 1})
		}
		n++
	}
	buf.WriteString("]}")
	return spans, buf.Bytes(), nil
}

func appendRequest(buf *bytes.Buffer, n int, id string, params []byte) {
	if n > 0 {
		buf.WriteByte(',')
	}
	buf.WriteString(`{"custom_id":"` + id + `","params":`)
	buf.Write(params)
	buf.WriteByte('}')
}

// taken tells which requests are in open batches.
func (b *Batches) taken() func(i int) bool {
	var all []span
	for _, m := range b.j.open() {
		all = append(all, m.spans...)
	}
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.From, b.From) })
	return func(i int) bool {
		_, found := slices.BinarySearchFunc(all, i, func(s span, i int) int {
			switch {
			case s.To <= i:
				return -1
			case s.From > i:
				return 1
			}
			return 0
		})
		return found
	}
}

// make announces a batch and makes it.
func (b *Batches) make(ctx context.Context, spans []span, body []byte) error {
	number := len(b.j.all) + 1
	if err := b.j.write(entry{Number: number, Event: "intended", At: time.Now().UTC(), Spans: spans}); err != nil {
		return err
	}
	made, err := b.API.Create(ctx, body)
	if err == nil {
		return b.j.write(entry{Number: number, Event: "made", ID: made.ID})
	}
	f, _ := errors.AsType[*Failure](err)
	if f.doubtful() {
		return nil // it may be there: find tells
	}
	if werr := b.j.write(entry{Number: number, Event: "never"}); werr != nil {
		return werr
	}
	b.cut = 0
	switch {
	case f.Verdict.Status == http.StatusTooManyRequests && f.Transient() && len(b.j.open()) > 0:
		b.queueFull = time.Now() // there is room when others have ended
		return nil
	case f.Verdict.Status == http.StatusRequestEntityTooLarge && count(spans) > 1:
		b.Size = (count(spans) + 1) / 2
		return nil
	}
	return err
}

// find looks for a batch that may have been made.
func (b *Batches) find(ctx context.Context, m *made) error {
	ids := make(map[string]bool, count(m.spans))
	for _, s := range m.spans {
		for i := s.From; i < s.To; i++ {
			ids[b.in.ID(i)] = true
		}
	}
	id, f, err := resolve(ctx, b.API, lost{
		at: m.at, size: len(ids), ours: b.j.knows, has: func(id string) bool { return ids[id] },
	})
	if err != nil {
		return err
	}
	switch f {
	case present:
		return b.j.write(entry{Number: m.number, Event: "made", ID: id})
	case unknown:
		b.Progress.update(func(s *State) { s.Note = "waiting for a batch that may be ours to end" })
		delete(b.absent, m.number)
		return nil
	}
	// The API may still be busy with it: only after a while is it certain.
	if since, ok := b.absent[m.number]; !ok {
		b.absent[m.number] = time.Now()
		return nil
	} else if time.Since(since) < b.Settle {
		return nil
	}
	b.cut = 0
	return b.j.write(entry{Number: m.number, Event: "never"})
}

// look polls a batch, and writes its results when it has ended.
func (b *Batches) look(ctx context.Context, m *made) error {
	shown, err := b.API.Get(ctx, m.id)
	if f, ok := errors.AsType[*Failure](err); ok && f.Verdict.Status == http.StatusNotFound {
		return &FatalError{fmt.Errorf("batch %s is not there any more: was it deleted, or is this the key of another workspace? %w", m.id, err)}
	}
	if err != nil {
		return err
	}
	m.processing = shown.Counts.Processing
	b.Progress.update(func(s *State) {
		s.UnderWay, s.Note = 0, ""
		for _, m := range b.j.open() {
			s.UnderWay += m.processing
		}
	})
	if !shown.Ended() {
		return nil
	}
	err = b.API.Results(ctx, m.id, func(r Result) error {
		if _, known := b.in.Find(r.ID); !known {
			return nil
		}
		return b.put(r)
	})
	if err != nil {
		return err
	}
	if b.lacking(m, nil) > 0 {
		if b.tries[m.number]++; b.tries[m.number] < maxReadings {
			return nil
		}
		body := errorBody("api_error", "the results of batch "+m.id+" lack this request")
		b.lacking(m, func(id string) { err = errors.Join(err, b.put(errored(id, body))) })
	}
	if err := errors.Join(err, b.out.Sync()); err != nil {
		return err
	}
	return b.j.write(entry{Number: m.number, Event: "finished"})
}

// lacking counts the requests of a batch without a result, and calls do with
// each.
func (b *Batches) lacking(m *made, do func(id string)) (n int) {
	for _, s := range m.spans {
		for i := s.From; i < s.To; i++ {
			if id := b.in.ID(i); !b.out.Has(id) {
				n++
				if do != nil {
					do(id)
				}
			}
		}
	}
	return n
}

func (b *Batches) put(r Result) error {
	fresh, err := b.out.Put(r)
	if fresh {
		b.Progress.finished(r)
	}
	return err
}

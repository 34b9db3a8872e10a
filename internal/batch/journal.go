package batch

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/weir-gateway/weir/internal/files"
)

// journal is what a run by batches knows beside its results: which batches it
// was about to make, and which it has made. Each entry is on the disk before
// what it announces is done.
type journal struct {
	file *os.File
	sum  string // of the input that the batches were made of; "" before the first
	all  []*made
}

// made is one batch.
type made struct {
	number int
	at     time.Time // when it was about to be made
	spans  []span    // which requests are in it
	id     string    // "" until it is known
	state  batchState

	processing int // of its requests, when it was last looked at
}

type batchState uint8

const (
	intended batchState = iota // it may have been made or not
	waiting                    // it has an id
	never                      // it has certainly not been made
	finished                   // its results are all written
)

// span is a range of requests, the end excluded.
type span struct{ From, To int }

func count(spans []span) (n int) {
	for _, s := range spans {
		n += s.To - s.From
	}
	return n
}

// entry is one line of the journal.
type entry struct {
	Input  string    `json:"input,omitempty"` // its sum
	Number int       `json:"batch,omitempty"` // from 1
	Event  string    `json:"event,omitempty"` // intended, made, never or finished
	At     time.Time `json:"at,omitzero"`
	Spans  []span    `json:"requests,omitempty"`
	ID     string    `json:"id,omitempty"`
}

// openJournal opens a journal, or makes it. It belongs to one process at a
// time.
func openJournal(name string) (*journal, error) {
	f, err := files.Lock(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	j := &journal{file: f}
	_, err = mend(f, func(number int, text []byte) error {
		var e entry
		if err := json.Unmarshal(text, &e); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		return j.apply(e)
	})
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return j, nil
}

func (j *journal) close() error { return j.file.Close() }

// write makes an entry safe, and then true.
func (j *journal) write(e entry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("write the state: %w", err)
	}
	return j.apply(e)
}

var errState = errors.New("the state beside the results does not make sense")

func (j *journal) apply(e entry) error {
	if e.Input != "" {
		j.sum = e.Input
		return nil
	}
	if e.Event == "intended" && e.Number == len(j.all)+1 {
		j.all = append(j.all, &made{number: e.Number, at: e.At, spans: e.Spans})
		return nil
	}
	if e.Number < 1 || e.Number > len(j.all) {
		return errState
	}
	m := j.all[e.Number-1]
	switch e.Event {
	case "made":
		m.id, m.state = e.ID, waiting
	case "never":
		m.state = never
	case "finished":
		m.state = finished
	default:
		return errState
	}
	return nil
}

// open are the batches that are not finished.
func (j *journal) open() (list []*made) {
	for _, m := range j.all {
		if m.state == intended || m.state == waiting {
			list = append(list, m)
		}
	}
	return list
}

// Pending reports whether batches are under way by what the journal of that
// name says; a journal that is not there says that none are.
func Pending(name string) (bool, error) {
	if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	j, err := openJournal(name)
	if err != nil {
		return false, err
	}
	return len(j.open()) > 0, j.close()
}

// knows reports whether a batch's id is in the journal.
func (j *journal) knows(id string) bool {
	for _, m := range j.all {
		if m.id == id {
			return true
		}
	}
	return false
}

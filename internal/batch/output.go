package batch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"sync"

	"github.com/weir-gateway/weir/internal/files"
)

// Output is a file of results, each custom_id once. The file is all that need
// be known to go on after a kill: what has a line is finished. It is safe for
// concurrent use.
type Output struct {
	file *os.File

	mu    sync.Mutex // guards the rest
	size  int64
	done  map[string]bool
	kinds map[string]int // results by type, those of earlier runs too
	dirty bool           // written and not synced
	err   error          // why nothing more can be written
}

// OpenOutput opens a file of results, or makes it. A line that a kill has left
// torn is removed. The file belongs to one process at a time.
func OpenOutput(name string) (*Output, error) {
	f, err := files.Lock(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	o := &Output{file: f, done: map[string]bool{}, kinds: map[string]int{}}
	if err := o.read(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return o, nil
}

// read takes in the results of earlier runs.
func (o *Output) read() error {
	whole, err := mend(o.file, func(number int, text []byte) error {
		r, err := ParseResult(text)
		if err != nil {
			return fmt.Errorf("line %d is not a result; give another file with --out", number)
		}
		if !o.done[r.ID] {
			o.kinds[r.Type]++
		}
		o.done[r.ID] = true
		return nil
	})
	o.size = whole
	return err
}

// Put writes a result, unless its custom_id has one, which it reports. When it
// returns, a kill of the process cannot take the result away.
func (o *Output) Put(r Result) (fresh bool, err error) {
	text := r.line()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done[r.ID] || o.err != nil {
		return false, o.err
	}
	n, err := o.file.Write(text)
	if err != nil {
		// What was written of the line must not stay in the middle.
		o.err = errors.Join(fmt.Errorf("write the results: %w", err), o.file.Truncate(o.size))
		return false, o.err
	}
	o.size += int64(n)
	o.done[r.ID], o.dirty = true, true
	o.kinds[r.Type]++
	return true, nil
}

// Has reports whether a custom_id has its result.
func (o *Output) Has(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done[id]
}

// Kinds counts the results by their type.
func (o *Output) Kinds() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.kinds)
}

// Sync makes what was written safe from a power cut too.
func (o *Output) Sync() error {
	o.mu.Lock()
	dirty := o.dirty
	o.dirty = false
	o.mu.Unlock()
	if !dirty {
		return nil
	}
	return o.file.Sync()
}

// Close syncs and closes the file.
func (o *Output) Close() error { return errors.Join(o.Sync(), o.file.Close()) }

// mend reads a file of lines, hands each to take, and cuts off what stands
// behind the last end of a line: a kill came while it was written. It returns
// where the file ends, and leaves it there.
func mend(f *os.File, take func(number int, text []byte) error) (whole int64, err error) {
	r := bufio.NewReaderSize(f, 1<<20)
	for number := 1; ; number++ {
		text, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			if len(text) > 0 {
				err = f.Truncate(whole)
			} else {
				err = nil
			}
			if err == nil {
				_, err = f.Seek(whole, io.SeekStart)
			}
			return whole, err
		}
		if err != nil {
			return 0, err
		}
		if text := bytes.TrimSpace(text); len(text) > 0 {
			if err := take(number, text); err != nil {
				return 0, err
			}
		}
		whole += int64(len(text))
	}
}

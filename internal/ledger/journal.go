package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// segmentSize is how large a file of the journal grows.
const segmentSize = 8 << 20

// maxLine bounds a row in the journal.
const maxLine = 64 << 10

// mark is a place in the journal: everything before it is in the store.
type mark struct {
	Segment int64
	Offset  int64
}

func (m mark) before(o mark) bool {
	return m.Segment < o.Segment || m.Segment == o.Segment && m.Offset < o.Offset
}

// journal appends rows to the newest of its files. Each row is a line: eight
// hexadecimal digits of CRC-32, a space, JSON. It is not safe for concurrent
// use.
type journal struct {
	dir  string
	file *os.File // nil before the first row
	at   mark     // the end
	buf  bytes.Buffer
}

const segmentPattern = "journal-%012d.log"

func (j *journal) name(segment int64) string {
	return filepath.Join(j.dir, fmt.Sprintf(segmentPattern, segment))
}

// segments lists the files that there are, the oldest first.
func segments(dir string) ([]int64, error) {
	names, err := filepath.Glob(filepath.Join(dir, "journal-*.log"))
	if err != nil {
		return nil, err
	}
	var list []int64
	for _, name := range names {
		digits := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "journal-"), ".log")
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list, nil
}

// openJournal goes on behind everything that is there, in a file of its own: the
// last one may end in the middle of a row.
func openJournal(dir string, done mark) (*journal, error) {
	list, err := segments(dir)
	if err != nil {
		return nil, err
	}
	next := done.Segment + 1
	if len(list) > 0 {
		next = max(next, list[len(list)-1]+1)
	}
	return &journal{dir: dir, at: mark{Segment: next}}, nil
}

// append writes rows by one system call: the kernel has them all, whatever
// happens to this process.
func (j *journal) append(rows []Row) error {
	j.buf.Reset()
	for i := range rows {
		line, err := json.Marshal(&rows[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(&j.buf, "%08x ", crc32.ChecksumIEEE(line))
		j.buf.Write(line)
		j.buf.WriteByte('\n')
	}
	if j.file != nil && j.at.Offset >= segmentSize {
		if err := j.next(); err != nil {
			return err
		}
	}
	if j.file == nil {
		f, err := os.OpenFile(j.name(j.at.Segment), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		j.file = f
	}
	n, err := j.file.Write(j.buf.Bytes())
	if err == nil {
		j.at.Offset += int64(n)
		return nil
	}
	if n > 0 && j.file.Truncate(j.at.Offset) != nil { // half a row: the next one must not follow it
		err = errors.Join(err, j.next())
	}
	return err
}

// next closes the file: the next row begins another one.
func (j *journal) next() error {
	err := j.file.Close()
	j.file, j.at = nil, mark{Segment: j.at.Segment + 1}
	return err
}

// size is how many bytes of a journal stand behind a place.
func size(dir string, from mark) (n int64, err error) {
	list, err := segments(dir)
	for _, segment := range list {
		if segment < from.Segment {
			continue
		}
		j := journal{dir: dir}
		info, err := os.Stat(j.name(segment))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just been dropped
		}
		if err != nil {
			return n, err
		}
		if n += info.Size(); segment == from.Segment {
			n -= min(from.Offset, info.Size())
		}
	}
	return n, err
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

// tail reads at most limit rows that stand behind a place, and says where the
// last one ends. A line that is not whole ends its file: it was being written
// when the process died. What else cannot be read is skipped, and counted.
func tail(dir string, from mark, limit int) (rows []Row, end mark, broken int, err error) {
	list, err := segments(dir)
	if err != nil {
		return nil, from, 0, err
	}
	end = from
	for _, segment := range list {
		if segment < from.Segment {
			continue
		}
		if segment > end.Segment {
			end = mark{Segment: segment}
		}
		n, err := readSegment(dir, &end, limit-len(rows), func(r Row) { rows = append(rows, r) })
		broken += n
		if errors.Is(err, fs.ErrNotExist) {
			continue // the writer has just dropped it
		}
		if err != nil || len(rows) >= limit {
			return rows, end, broken, err
		}
	}
	return rows, end, broken, nil
}

// readSegment reads on in one file and moves at along.
func readSegment(dir string, at *mark, limit int, row func(Row)) (broken int, err error) {
	j := journal{dir: dir}
	f, err := os.Open(j.name(at.Segment))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(at.Offset, io.SeekStart); err != nil {
		return 0, err
	}
	in := bufio.NewReaderSize(f, maxLine)
	for n := 0; n < limit; {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return broken, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return broken, err
		}
		at.Offset += int64(len(line))
		if r, ok := parseLine(line); ok {
			row(r)
			n++
		} else {
			broken++
		}
	}
	return broken, nil
}

func parseLine(line []byte) (r Row, ok bool) {
	sum, text, found := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if !found || err != nil || uint64(crc32.ChecksumIEEE(text)) != want {
		return r, false
	}
	return r, json.Unmarshal(text, &r) == nil
}

// drop removes the files that the store has taken over whole.
func drop(dir string, done mark) error {
	list, err := segments(dir)
	var errs []error
	for _, segment := range list {
		if segment < done.Segment {
			j := journal{dir: dir}
			errs = append(errs, os.Remove(j.name(segment)))
		}
	}
	return errors.Join(append(errs, err)...)
}

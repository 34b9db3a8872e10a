package cache

import (
	"bytes"
	"strings"

	"github.com/weir-gateway/weir/internal/message"
	"github.com/weir-gateway/weir/internal/sse"
)

// converted turns a recorded stream into the message that it yields, or a
// message into a stream that yields it.
func converted(body []byte, stream bool) ([]byte, error) {
	if stream {
		return assembled(body)
	}
	list, err := message.Events(body)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(body)+len(body)/2+len(list)*64)
	for _, e := range list {
		out = sse.Append(out, e.Name, e.Data)
	}
	return out, nil
}

// assembled puts together the message of a whole stream.
func assembled(stream []byte) ([]byte, error) {
	var (
		a    message.Assembler
		scan sse.Scanner
		last int
		err  error
	)
	scan.Feed(stream, func(e sse.Event) {
		data := e.Data
		if e.Size > len(data) {
			data = dataOf(stream[last:e.End])
		}
		last = e.End
		if err == nil {
			err = a.Add(e.Name, data)
		}
	})
	if err != nil {
		return nil, err
	}
	return a.Message()
}

// dataOf is the data of an event that is too long for the scanner.
func dataOf(event []byte) []byte {
	var data []byte
	for line := range strings.FieldsFuncSeq(string(event), func(c rune) bool { return c == '\n' || c == '\r' }) {
		if rest, ok := strings.CutPrefix(line, "data:"); ok {
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, bytes.TrimPrefix([]byte(rest), []byte(" "))...)
		}
	}
	return data
}

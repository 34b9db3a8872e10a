package cache

import (
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
		scan = sse.Scanner{Max: len(stream)}
		err  error
	)
	scan.Feed(stream, func(e sse.Event) {
		if err == nil {
			err = a.Add(e.Name, e.Data)
		}
	})
	if err != nil {
		return nil, err
	}
	return a.Message()
}

// Package sse reads server-sent events out of a byte stream that somebody
// else forwards unchanged. It is written for the Messages API: it tolerates
// CRLF and CR line ends, comments, unknown fields and events, and events that
// are split over any number of reads.
//
// The package is pure and a [Scanner] is not safe for concurrent use.
package sse

import (
	"bytes"
	"cmp"
)

// Event is one dispatched event. Data is valid only until the next Feed; it is
// cut at the Scanner's Max, Size is its full length. End is how many bytes of that Feed,
// from its start, end with this event.
type Event struct {
	Name string
	Data []byte
	Size int
	End  int
}

// MaxData is how much of one event's data is kept where a Scanner names no other
// limit. The events that Weir reads
// (message_start, message_delta, error) are far smaller; content passes by.
const MaxData = 64 << 10

// Scanner splits a stream into events. The zero Scanner is ready to use.
type Scanner struct {
	Max int // how much of one event's data is kept; 0: MaxData. Set before the first Feed.

	// Comment hears of each comment, which is valid only until it returns; nil:
	// nobody does. Set before the first Feed.
	Comment func(text []byte)

	line  []byte // an unfinished line, cut at MaxData
	long  int    // bytes of it that were cut off
	name  string
	data  []byte
	size  int
	some  bool // a data field was seen
	wasCR bool // the last line ended in CR, so one LF belongs to it
	whole int  // bytes of the last Feed that end with a whole event
}

// Feed takes the next bytes of the stream and calls yield for every event that
// they complete, in order.
func (s *Scanner) Feed(p []byte, yield func(Event)) {
	s.whole = 0
	size := len(p)
	for len(p) > 0 {
		if s.wasCR {
			s.wasCR = false
			if p[0] == '\n' {
				p = p[1:]
				continue
			}
		}
		end := lineEnd(p)
		if end < 0 {
			s.keep(p)
			return
		}
		s.wasCR = p[end] == '\r'
		blank := end == 0 && len(s.line) == 0
		if blank {
			s.whole = size - len(p) + 1
			s.dispatch(yield)
		} else if len(s.line) == 0 && s.long == 0 {
			s.field(p[:end], 0)
		} else {
			s.keep(p[:end])
			s.field(s.line, s.long)
			s.line, s.long = s.line[:0], 0
		}
		p = p[end+1:]
	}
}

// Whole is how many bytes of the last Feed, from its start, end with a whole
// event. What lies behind them belongs to an event that has not ended yet.
func (s *Scanner) Whole() int { return s.whole }

// lineEnd finds the first CR or LF. LF is searched for first: CR is rare.
func lineEnd(p []byte) int {
	lf := bytes.IndexByte(p, '\n')
	if lf >= 0 {
		p = p[:lf]
	}
	if cr := bytes.IndexByte(p, '\r'); cr >= 0 {
		return cr
	}
	return lf
}

// keep stores a part of a line that has not ended yet.
func (s *Scanner) keep(p []byte) {
	n := min(len(p), s.max()-len(s.line))
	s.line = append(s.line, p[:n]...)
	s.long += len(p) - n
}

// field takes one whole line of which cut bytes are missing at its end.
func (s *Scanner) field(line []byte, cut int) {
	name, value, _ := bytes.Cut(line, []byte{':'})
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	switch string(name) {
	case "": // a comment
		if s.Comment != nil {
			s.Comment(value)
		}
	case "event":
		s.name = intern(value)
	case "data":
		if s.some {
			s.add([]byte{'\n'})
		}
		s.add(value)
		s.size += cut
		s.some = true
	}
}

func (s *Scanner) max() int { return cmp.Or(s.Max, MaxData) }

func (s *Scanner) add(p []byte) {
	s.size += len(p)
	s.data = append(s.data, p[:min(len(p), s.max()-len(s.data))]...)
}

func (s *Scanner) dispatch(yield func(Event)) {
	if s.some || s.name != "" {
		yield(Event{Name: s.name, Data: s.data, Size: s.size, End: s.whole})
	}
	s.name, s.data, s.size, s.some = "", s.data[:0], 0, false
}

// intern spares an allocation for the event names of the Messages API.
func intern(b []byte) string {
	switch string(b) {
	case "content_block_delta":
		return "content_block_delta"
	case "content_block_start":
		return "content_block_start"
	case "content_block_stop":
		return "content_block_stop"
	case "message_start":
		return "message_start"
	case "message_delta":
		return "message_delta"
	case "message_stop":
		return "message_stop"
	case "ping":
		return "ping"
	case "error":
		return "error"
	}
	return string(b)
}

// Append writes one event in the form that the Messages API uses. Data must
// not contain line ends.
func Append(dst []byte, name string, data []byte) []byte {
	dst = append(dst, "event: "...)
	dst = append(dst, name...)
	dst = append(dst, "\ndata: "...)
	dst = append(dst, data...)
	return append(dst, "\n\n"...)
}

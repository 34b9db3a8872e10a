package shape

import (
	"bytes"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
)

// turn is a run of messages of one role.
type turn struct {
	first int // message
	user  bool
	tools bool // it may use tools, or bring their results
}

// trim leaves out the oldest turns but the first of the user, so that r.Turns of
// the user's remain besides it. The roles go on to alternate, and each use of a
// tool keeps its result: what is left out is whole pairs of a model's turn and
// the user's answer to it, or of a user's turn and the model's answer.
func trim(_ *call.Call, body []byte, r call.Rung) ([]byte, error) {
	messages, err := message.Get(body, "messages")
	if err != nil || len(messages) == 0 {
		return body, err
	}
	turns, err := turnsOf(messages)
	if err != nil || turns == nil {
		return body, err
	}
	users := (len(turns) + 1) / 2
	if users-1 <= max(r.Turns, 1) {
		return body, nil
	}
	// The user's turns are 0, 2, 4 …
	keep := 2 * (users - max(r.Turns, 1))
	from, to := 1, keep-1 // the first is followed by the model's turn before the oldest that is kept
	if !turns[1].tools && !turns[keep].tools {
		from, to = 2, keep // the answer to the first stays: so it reads better
	}
	if from >= to {
		return body, nil
	}
	if messages, err = message.Cut(messages, turns[from].first, turns[to].first); err != nil {
		return nil, err
	}
	return message.Set(body, "messages", messages)
}

// turnsOf returns nil for a conversation that does not begin with the user, or
// that others take part in: it is left alone.
func turnsOf(messages []byte) ([]turn, error) {
	list, err := message.Elements(messages)
	if err != nil {
		return nil, err
	}
	var turns []turn
	for i, m := range list {
		role, err := message.Get(m, "role")
		if err != nil {
			return nil, err
		}
		user := string(role) == `"user"`
		if !user && string(role) != `"assistant"` {
			return nil, nil
		}
		tools := bytes.Contains(m, []byte("tool_use")) || bytes.Contains(m, []byte("tool_result"))
		if n := len(turns); n > 0 && turns[n-1].user == user {
			turns[n-1].tools = turns[n-1].tools || tools
			continue
		}
		turns = append(turns, turn{i, user, tools})
	}
	if len(turns) == 0 || !turns[0].user {
		return nil, nil
	}
	return turns, nil
}

// leftOut stands where an image was.
var leftOut = []byte(`{"type":"text","text":"[image left out]"}`)

// images leaves out the images whose data is larger than r.Bytes.
func images(_ *call.Call, body []byte, r call.Rung) ([]byte, error) {
	messages, err := message.Get(body, "messages")
	if err != nil || len(messages) == 0 {
		return body, err
	}
	next, err := message.Replace(messages, func(_ int, m []byte) []byte { return withoutImages(m, r.Bytes) })
	if err != nil || same(next, messages) {
		return body, err
	}
	return message.Set(body, "messages", next)
}

// withoutImages returns a message, or the result of a tool, without its large
// images; nil if it has none.
func withoutImages(holder []byte, limit int) []byte {
	if len(holder) <= limit || !bytes.Contains(holder, []byte(`image`)) {
		return nil
	}
	content, err := message.Get(holder, "content")
	if err != nil || len(content) == 0 || content[0] != '[' {
		return nil
	}
	next, err := message.Replace(content, func(_ int, block []byte) []byte {
		kind, err := message.Get(block, "type")
		switch {
		case err != nil:
			return nil
		case string(kind) == `"tool_result"`:
			return withoutImages(block, limit)
		case string(kind) == `"image"` && sizeOf(block) > limit:
			return instead(block)
		}
		return nil
	})
	if err != nil || same(next, content) {
		return nil
	}
	out, err := message.Set(holder, "content", next)
	if err != nil {
		return nil
	}
	return out
}

// instead is what stands where an image was. It keeps the image's mark for the
// prompt cache: what comes before it goes on to be read from there.
func instead(image []byte) []byte {
	mark, err := message.Get(image, "cache_control")
	if err != nil || mark == nil {
		return leftOut
	}
	marked, err := message.Set(leftOut, "cache_control", mark)
	if err != nil {
		return leftOut
	}
	return marked
}

// sizeOf is how long the data of an image is that stands in the request itself,
// encoded.
func sizeOf(image []byte) int {
	source, err := message.Get(image, "source")
	if err != nil || len(source) == 0 || source[0] != '{' {
		return 0
	}
	data, err := message.Get(source, "data")
	if err != nil {
		return 0
	}
	return len(bytes.Trim(data, `"`))
}

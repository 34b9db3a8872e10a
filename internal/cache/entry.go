package cache

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/sse"
)

// entry is a kept answer. It is never changed.
type entry struct {
	Owner   owner       `json:"-"`
	Asked   time.Time   `json:"asked"` // from when on it is as old as it is
	Stream  bool        `json:"stream"`
	Request string      `json:"request,omitempty"` // the upstream's request-id
	Tokens  call.Tokens `json:"tokens"`            // that it took
	Cost    call.USD    `json:"cost"`
	Body    []byte      `json:"-"` // as the upstream wrote it
}

// overhead is about what an entry takes in memory besides its body.
const overhead = 512

// size is what e weighs in memory.
func (e *entry) size() int { return len(e.Body) + overhead }

// keptStops are the ends of answers that are kept. One that was cut off, paused
// or refused may well come out otherwise the next time.
var keptStops = []string{"end_turn", "stop_sequence", "tool_use"}

// complete reports whether an answer came to an end of its own.
func complete(stream bool, body []byte) bool {
	if !stream {
		return slices.Contains(keptStops, stopOf(body))
	}
	var (
		scan    sse.Scanner
		reason  string
		stopped bool
	)
	scan.Feed(body, func(e sse.Event) {
		switch e.Name {
		case "message_delta":
			var said struct {
				Delta struct {
					Stop string `json:"stop_reason"`
				} `json:"delta"`
			}
			if json.Unmarshal(e.Data, &said, lenient) == nil && said.Delta.Stop != "" {
				reason = said.Delta.Stop
			}
		case "message_stop":
			stopped = true
		case "error":
			reason = "error"
		}
	})
	return stopped && slices.Contains(keptStops, reason)
}

// stopOf finds the stop_reason of a whole message. What is no message has none.
func stopOf(body []byte) (reason string) {
	var said struct {
		Type string `json:"type"`
		Stop string `json:"stop_reason"`
	}
	if json.Unmarshal(body, &said, lenient) != nil || said.Type != "message" {
		return ""
	}
	return said.Stop
}

// lenient accepts from the upstream what it would not accept from a client.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// sealer encrypts entries for stores that others might read or write. Whatever
// is not this gateway's own, or was put under another key, does not open.
type sealer struct{ aead cipher.AEAD }

func newSealer(secret []byte) (sealer, error) {
	sealing, err := hkdf.Key(sha256.New, secret, nil, "weir cache entries", 32)
	if err != nil {
		return sealer{}, err
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

var errSealed = errors.New("the entry does not open")

// seal writes e: the length of its head, its head, its body, all of it sealed.
func (s sealer) seal(k key, e *entry) ([]byte, error) {
	head, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("write an entry of the cache: %w", err)
	}
	plain := make([]byte, 0, len(head)+len(e.Body)+binary.MaxVarintLen64)
	plain = binary.AppendUvarint(plain, uint64(len(head)))
	plain = append(append(plain, head...), e.Body...)
	return s.aead.Seal(nil, nil, plain, bound(k, e.Owner)), nil
}

// open reads what seal wrote for the same key and owner.
func (s sealer) open(k key, of owner, sealed []byte) (*entry, error) {
	plain, err := s.aead.Open(nil, nil, sealed, bound(k, of))
	if err != nil {
		return nil, errSealed
	}
	size, n := binary.Uvarint(plain)
	if n <= 0 || size > uint64(len(plain)-n) {
		return nil, errSealed
	}
	e := &entry{Owner: of, Body: plain[n+int(size):]}
	if err := json.Unmarshal(plain[n:n+int(size)], e); err != nil {
		return nil, errSealed
	}
	return e, nil
}

// bound is what a sealed entry belongs to.
func bound(k key, of owner) []byte { return bytes.Join([][]byte{k[:], of[:]}, nil) }

package weir

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/shape"
)

// MaxTokens is the policy of max_tokens, see [WithMaxTokens].
type MaxTokens = shape.Bounds

// MaxTokensBound is a part of it: what a request gets that names none, and the
// most that any may ask for.
type MaxTokensBound = shape.Bound

// WithMaxTokens gives requests without max_tokens, which the API would refuse, a
// default, and lowers those above a cap. Of the caps that concern a request the
// lowest holds; of the defaults that of its client, else of its tenant, else of
// its class, else of all. A valid request stays one: a thinking budget is
// lowered too where it must be. A lowered request is told so in the header
// weir-warning. The maps belong to the gateway from then on.
func WithMaxTokens(b MaxTokens) Option {
	return func(s *settings) error {
		s.maxTokens = b
		return checkMaxTokens(b)
	}
}

// SetMaxTokens replaces the policy that [WithMaxTokens] gave, from the next call
// on. It changes nothing if the new one is not valid.
func (g *Gateway) SetMaxTokens(b MaxTokens) error {
	if err := checkMaxTokens(b); err != nil {
		return err
	}
	g.maxTokens.Configure(b)
	return nil
}

// checkMaxTokens reports the faults of all parts at once.
func checkMaxTokens(b MaxTokens) error {
	var errs []error
	check := func(whose string, part MaxTokensBound) {
		switch {
		case part.Default < 0 || part.Cap < 0:
			errs = append(errs, fmt.Errorf("max_tokens%s must not be negative: %+v", whose, part))
		case part.Cap > 0 && part.Default > part.Cap:
			errs = append(errs, fmt.Errorf("max_tokens%s: the default %d is above the cap %d", whose, part.Default, part.Cap))
		}
	}
	check("", b.All)
	for class, part := range b.Classes {
		check(" of class "+call.Class(class).String(), part)
	}
	for name, part := range b.Tenants {
		check(" of tenant "+name, part)
	}
	for name, part := range b.Clients {
		check(" of client "+name, part)
	}
	return errors.Join(errs...)
}

// defaultStreamAbove is the max_tokens above which the official SDKs refuse to
// ask for an answer in one piece: they reckon that it could take 10 minutes.
const defaultStreamAbove = 21_333

// WithStreamAbove has answers of more than so many max_tokens sent as a stream
// by the API where the caller asked for one piece, and puts them together:
// nothing on the way is silent for long then, and one that breaks off is asked
// for again. 0 never does it. The default is 21,333, above which the official
// SDKs refuse to ask for one piece.
func WithStreamAbove(tokens int64) Option {
	return func(s *settings) error {
		if tokens < 0 {
			return fmt.Errorf("answers cannot be streamed above %d tokens", tokens)
		}
		s.streamAbove = call.Tokens(tokens)
		return nil
	}
}

// loweredText is what the header weir-warning says of a cap, or empty.
func loweredText(from, to call.Tokens) string {
	if from == 0 || to == 0 {
		return ""
	}
	return "max_tokens lowered; from=" + strconv.FormatInt(int64(from), 10) + "; to=" + strconv.FormatInt(int64(to), 10)
}

// Package words puts Weir's own refusals into the language of whoever reads
// them. Every sentence is a message of en.json and zh.json; this package only
// chooses the message and fills its blanks. Statuses, types and headers are
// decided by the door.
package words

import (
	"cmp"
	"crypto/tls"
	"embed"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/weir-gateway/weir/call"
)

// languages are those that a [Book] speaks; the first is the one for callers
// who ask for another.
var languages = []string{"en", "zh"}

//go:embed en.json zh.json
var files embed.FS

// Text is what a person reads: what is the matter, and what can be done.
type Text struct {
	Message string
	Hint    string
}

// Book holds the messages of all languages. It is immutable and safe for
// concurrent use.
type Book struct {
	speakers map[string]speaker
}

// New returns the book. The messages are part of the binary: it panics if they
// are broken, which a test rules out.
func New() *Book {
	bundle := i18n.NewBundle(language.English)
	b := &Book{speakers: map[string]speaker{}}
	var details []detail
	for _, lang := range languages {
		file, err := bundle.LoadMessageFileFS(files, lang+".json")
		if err != nil {
			panic("words: " + err.Error())
		}
		if lang == languages[0] {
			details = detailsOf(file)
		}
	}
	for _, lang := range languages {
		b.speakers[lang] = speaker{
			texts:   i18n.NewLocalizer(bundle, lang),
			numbers: message.NewPrinter(language.Make(lang)),
			details: details,
		}
	}
	return b
}

// Refusal says why a call is refused, in the language lang ("en" or "zh").
func (b *Book) Refusal(lang string, r *call.Refusal) Text {
	s := b.speaker(lang)
	id, blanks := idOf(r), s.blanks(r)
	return Text{Message: s.say(id+".message", blanks), Hint: s.say(id+".hint", blanks)}
}

// Interrupted says why a stream ended in the middle of its answer; reason is
// broken_off or stalled.
func (b *Book) Interrupted(lang, reason string) string {
	return b.speaker(lang).say("interrupted."+reason, nil)
}

// speaker is the one of lang, or of the first language.
func (b *Book) speaker(lang string) speaker {
	if s, ok := b.speakers[lang]; ok {
		return s
	}
	return b.speakers[languages[0]]
}

// idOf chooses the message. It is total: a reason without words of its own is
// a defect, and says so.
func idOf(r *call.Refusal) string {
	switch r.Reason {
	case call.AccountBlocked:
		return r.Verdict.Block()
	case call.TimedOut, call.UpstreamDown:
		return waitID(r)
	case call.TooLarge:
		if r.Detail != "" {
			return "request_cannot_be_split"
		}
		if r.Limit <= 0 {
			return "request_exceeds_unknown_quota"
		}
	case call.BudgetSpent:
		return shortageID(r)
	case call.RuleRefused:
		if r.Rule == call.RuleAtOnce {
			return "refused_at_once"
		}
	case call.ClientGone, call.NotReplayable:
		return call.InternalFailure.String()
	}
	return r.Reason.String()
}

// waitID tells a quota that had no room from an upstream that did not answer.
func waitID(r *call.Refusal) string {
	switch r.Verdict.Kind {
	case call.Overloaded:
		return "upstream_overloaded"
	case call.UpstreamFailed, call.Unreachable:
		if Untrusted(r.Cause) {
			return "upstream_untrusted"
		}
		return call.UpstreamDown.String()
	}
	return r.Reason.String()
}

// Untrusted reports whether TLS failed, which points to the gateway's
// surroundings rather than to the API.
func Untrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}

// speaker speaks one language.
type speaker struct {
	texts   *i18n.Localizer
	numbers *message.Printer
	details []detail
}

// blanks are the facts that a message may mention.
func (s speaker) blanks(r *call.Refusal) map[string]string {
	detail := s.detail(r.Detail)
	if r.Reason >= call.ClientGone {
		detail = r.Error() // a defect is told as it is, for whoever mends it
	}
	blanks := map[string]string{
		"Detail":    detail,
		"Need":      s.numbers.Sprint(int64(r.Need)),
		"Limit":     s.numbers.Sprint(int64(r.Limit)),
		"Limiter":   s.say("limiter."+r.Limiter.String(), nil),
		"Waited":    s.span(r.Waited.Round(time.Second)),
		"Rule":      r.Rule,
		"Again":     s.again(r.RetryIn),
		"Until":     s.until(r.Verdict.Until),
		"Meanwhile": s.say("part.meanwhile", nil),
		"Allowed":   s.allowed(r.Allowed),
	}
	if r.Reason == call.BudgetSpent {
		s.shortage(cmp.Or(r.Budget, &call.Shortage{}), blanks)
	}
	return blanks
}

func (s speaker) again(in time.Duration) string {
	if in <= 0 {
		return s.say("part.again_later", nil)
	}
	return s.say("part.again", map[string]string{"Span": s.span(in)})
}

func (s speaker) allowed(models []string) string {
	if len(models) == 0 {
		return s.say("part.allowed_none", nil)
	}
	return s.say("part.allowed", map[string]string{"Models": strings.Join(models, ", ")})
}

func (s speaker) until(at time.Time) string {
	if at.IsZero() {
		return s.say("part.until_lifted", nil)
	}
	date := at.UTC().Format(s.say("part.date_layout", nil))
	return s.say("part.until", map[string]string{"Date": date})
}

// span writes a duration for people: rounded up, in the largest unit of which
// there are at least two.
func (s speaker) span(d time.Duration) string {
	id, unit := "span.days", 24*time.Hour
	switch {
	case d < 2*time.Minute:
		id, unit = "span.seconds", time.Second
	case d < 2*time.Hour:
		id, unit = "span.minutes", time.Minute
	case d < 48*time.Hour:
		id, unit = "span.hours", time.Hour
	}
	n := max(1, int(math.Ceil(float64(d)/float64(unit))))
	// A test rules out that a message is missing.
	text, _ := s.texts.Localize(&i18n.LocalizeConfig{MessageID: id, PluralCount: n})
	return text
}

func (s speaker) say(id string, blanks map[string]string) string {
	// A test rules out that a message is missing.
	text, _ := s.texts.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: blanks})
	return text
}

// Package call holds the words that every room of Weir uses: the [Call] that
// walks through the house, the [Permit] that lets it out to the upstream, the
// [Limits] and [Usage] that come back, and the [Refusal] that ends it early.
//
// It depends on the standard library alone, and on no other package of Weir.
package call

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Tokens counts model tokens, as the upstream's usage fields do.
type Tokens int64

// Class is the urgency of a call. A lower value goes first.
type Class uint8

// The classes, most urgent first (DESIGN §5).
const (
	Interactive Class = iota
	Normal
	Batch
	NumClasses = 3
)

// String returns the word that the weir-class header uses.
func (c Class) String() string {
	return [...]string{"interactive", "normal", "batch"}[c]
}

// ParseClass reads the word that the weir-class header uses.
func ParseClass(s string) (Class, bool) {
	for c := range Class(NumClasses) {
		if c.String() == s {
			return c, true
		}
	}
	return Normal, false
}

// Endpoint tells what a path asks for. Only [Messages] draws on the token
// buckets of a model group.
type Endpoint uint8

// The endpoints that Weir tells apart.
const (
	Other       Endpoint = iota // passed through, neither queued nor metered
	Messages                    // POST /v1/messages
	CountTokens                 // POST /v1/messages/count_tokens, a pool of its own
)

// The pools that the upstream keeps apart from the model groups' buckets
// (anthropic-api.md §1.6).
const (
	PoolCountTokens = "count_tokens"
	PoolBatches     = "batches"
	PoolFiles       = "files"
	PoolFast        = "fast" // of a model, for speed: fast
)

// Call is one request on its way through the house. Each room fills the fields
// of its own section and leaves the others alone. A Call belongs to one
// goroutine at a time.
type Call struct {
	ID       string    // weir-request-id
	Received time.Time // when its header was read
	Seq      uint64    // order of arrival in this process, unique

	// Filled by classify.
	Endpoint    Endpoint
	Method      string
	Path        string // with query, as sent upstream
	Header      http.Header
	Body        []byte // whole and replayable; nil for Other, which streams unless its models are looked at
	Pool        string // a pool of its own, see the Pool constants; "": the model's
	Model       string
	MaxTokens   Tokens
	Stream      bool
	Class       Class
	Tenant      string
	Session     string        // x-claude-code-session-id, or empty
	TraceParent string        // traceparent, as the caller sent it; or empty
	Deadline    time.Time     // the latest useful instant to be sent upstream
	ClientRetry int           // x-stainless-retry-count
	Lang        string        // "en" or "zh"
	NoDegrade   bool          // weir-degrade: off
	Client      string        // name of the gateway token that let it in; "" where there are none
	Owner       string        // what is sure of who asks: the tenant of its token, else the fingerprint of what it sent
	Models      [][]string    // patterns of the models that its caller may use: one of each list must fit; nil: any
	CacheWish   CacheWish     // weir-cache
	Split       SplitWish     // weir-split
	Progress    *Progress     // of a call that may be split; else nil
	MaxWait     time.Duration // weir-max-wait; 0 if the caller did not say it
	Credential  Key           // what the caller sent; the zero Key if nothing
	Content     Content

	// Filled by estimate.
	Estimate Estimate

	// Filled by the corridor.
	Attempts int
	Hedges   int           // attempts that ran beside another one
	Failures int           // attempts that failed for another reason than pacing
	Waited   time.Duration // until it was first sent
	Headroom Headroom      // when its answer came
	Story    []Attempt     // why it waited, and what each attempt brought
	Payer    Key           // the key that was picked last; the zero Key if none was
	Shunned  Key           // the key whose upstream failed it last; the zero Key if none did
	Bound    string        // fingerprint of the key of the pool that alone can serve it; "": any

	// Filled by cache.
	Cached CacheResult

	// Filled by split.
	Parts int // that the request was split into; 0: it was not

	// Filled by shape, which brings Content.Prefixes up to date, too.
	Degraded       Degradation
	Prompt         PromptCaching
	MaxTokensAsked Tokens // what the caller asked for, where MaxTokens was lowered; else 0
	Gather         bool   // sent as a stream, and answered in one piece

	// Filled by the ladder, before the cache.
	Rungs []Rung     // that are in force for it, in their order; nil: it stays as it came
	Plain []byte     // the body that shape has edited for them; nil: it has not
	Would []RungKind // what would be in force, were it no dry run

	// Filled by account, and by the corridor where the client left with the last byte.
	Lost Usage // of attempts of whose answers the client got nothing
	Used Usage // of an answer that came whole; not exact: it streams, or does not say
}

// Streamed reports whether the call is sent as a stream, whatever the caller
// gets of it.
func (c *Call) Streamed() bool { return c.Stream || c.Gather }

// Clone returns a copy that another goroutine may own. Header and body are
// shared; neither owner may change them.
func (c *Call) Clone() *Call {
	twin := *c
	twin.Story = slices.Clone(c.Story)
	return &twin
}

// Degradation says how a call was made simpler than it came. The zero
// Degradation is none.
type Degradation struct {
	Rung string // what was done, such as "fallback"; several are joined by "+"
	From string // the model that was asked for
}

// String is the value of the header weir-degraded (DESIGN §2.4).
func (d Degradation) String() string {
	if d.Rung == "" {
		return ""
	}
	return d.Rung + "; from=" + d.From
}

// Key is one credential of the upstream API.
type Key struct {
	Name   string // for people: configured name, or the fingerprint
	Print  string // fingerprint: stable, not reversible, safe to show
	Secret Secret
	Bearer bool // send as Authorization: Bearer instead of x-api-key

	Upstream string // address of the API that takes it; "": the gateway's
}

// APIBase returns the address of an API without a slash at its end, and without
// the /v1 that belongs to the paths.
func APIBase(address string) string {
	return strings.TrimSuffix(strings.TrimRight(address, "/"), "/v1")
}

// Outlook tells what would become of a call if a key paid for it. A nil
// function knows nothing: it would go at once.
type Outlook struct {
	// Wait is how long the call would wait for quota.
	Wait func(now time.Time, c *Call, key Key) time.Duration
	// Shut says why the key's upstream takes no such calls now, or nil.
	Shut func(now time.Time, c *Call, key Key) *Refusal
}

// Evidence is what one answer tells of the key that paid for it.
type Evidence struct {
	Key     Key
	Model   string // that was asked for; "" where there is none
	Limits  Limits
	Verdict Verdict
}

// Secret is a credential that never prints itself. The zero Secret is empty.
type Secret struct{ value string }

// NewSecret wraps v.
func NewSecret(v string) Secret { return Secret{v} }

// Reveal returns the credential itself. Each caller of it is a place to audit.
func (s Secret) Reveal() string { return s.value }

// Empty reports whether there is no credential.
func (s Secret) Empty() bool { return s.value == "" }

// String hides the credential.
func (s Secret) String() string { return "[secret]" }

// GoString hides the credential from %#v.
func (s Secret) GoString() string { return "[secret]" }

// MarshalText hides the credential from JSON, YAML and slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

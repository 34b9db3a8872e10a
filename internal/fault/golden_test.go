package fault_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fault"
	"github.com/weir-gateway/weir/internal/words"
)

var update = flag.Bool("update", false, "write what is concluded into the golden files")

// golden is one case of the taxonomy: what came from the upstream, and all
// that follows from it.
type golden struct {
	About string     `json:"about"`
	Input evidence   `json:"input"`
	Want  conclusion `json:"want"`
}

// evidence is an answer, or the data of an error event, or the name of an
// error of which no answer came. A text that is no JSON is kept as a string.
type evidence struct {
	Status  int               `json:"status,omitzero"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Event   json.RawMessage   `json:"event,omitempty"`
	Error   string            `json:"error,omitempty"`
}

// conclusion is the verdict, the two decisions and what the user reads.
type conclusion struct {
	Verdict verdict `json:"verdict"`
	Effect  string  `json:"key_organization_model"`
	Course  string  `json:"request"`
	Reads   reads   `json:"reads"`
}

// verdict is a [call.Verdict] for people.
type verdict struct {
	Kind       string     `json:"kind"`
	Status     int        `json:"status,omitzero"`
	Type       string     `json:"type,omitempty"`
	Code       string     `json:"code,omitempty"`
	Limiter    string     `json:"limiter,omitempty"`
	Limit      float64    `json:"limit,omitzero"`
	RampNow    float64    `json:"ramp_now,omitzero"`
	RampNext   float64    `json:"ramp_next,omitzero"`
	Workspace  bool       `json:"workspace_only,omitzero"`
	RetryAfter string     `json:"retry_after,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
	Message    string     `json:"message,omitempty"`
}

// reads is what the user gets to read: the upstream's own words, or, when it
// comes to that, Weir's.
type reads struct {
	When string   `json:"when"`
	En   []string `json:"en,omitempty"`
	Zh   []string `json:"zh,omitempty"`
}

// stall is the time-out of an upstream that fell silent.
type stall struct{ error }

func (stall) Timeout() bool { return true }

// causes are the errors of attempts without a whole answer.
var causes = map[string]error{
	"refused":    &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
	"reset":      &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
	"dns":        &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "api.anthropic.com", IsNotFound: true}},
	"untrusted":  &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
	"no-tls":     tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
	"stall":      stall{errors.New("the API sent nothing for 1m0s")},
	"no-content": errors.New("the stream ended before its first content"),
	"cut-off":    io.ErrUnexpectedEOF,
}

// text returns evidence as its bytes came.
func text(raw json.RawMessage) []byte {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []byte(s)
	}
	return raw
}

func (e evidence) judge(t *testing.T) (call.Verdict, error) {
	t.Helper()
	switch {
	case e.Error != "":
		cause := causes[e.Error]
		if cause == nil {
			t.Fatalf("no error is called %q", e.Error)
		}
		return fault.Unreachable(cause), cause
	case e.Event != nil:
		return fault.New().Event(now, text(e.Event)), nil
	}
	h := http.Header{}
	for name, value := range e.Headers {
		h.Set(name, value)
	}
	return fault.New().Answer(now, e.Status, h, text(e.Body)), nil
}

func conclude(v call.Verdict, cause error) conclusion {
	c := conclusion{Effect: v.Effect().String(), Course: v.Course().String(), Reads: read(v, cause)}
	c.Verdict = verdict{
		Kind: v.Kind.String(), Status: v.Status, Type: v.Type, Code: v.Code, Limit: v.Limit,
		RampNow: v.RampNow, RampNext: v.RampNext, Workspace: v.Workspace, Message: v.Message,
	}
	if v.Named {
		c.Verdict.Limiter = v.Limiter.String()
	}
	if v.RetryAfter > 0 {
		c.Verdict.RetryAfter = v.RetryAfter.String()
	}
	if !v.Until.IsZero() {
		c.Verdict.Until = &v.Until
	}
	return c
}

// read says whose words the user reads, and when. Waiting calls are taken to
// have waited for two minutes; which limiter they wait for is told by admission,
// here by the verdict.
func read(v call.Verdict, cause error) reads {
	r := call.Refusal{Verdict: v, Cause: cause, Limiter: v.Limiter, Waited: 2 * time.Minute, RetryIn: max(v.RetryAfter, 8*time.Second)}
	out := reads{}
	switch v.Course() {
	case call.Deliver:
		return reads{When: "at once: the upstream's own answer, unchanged"}
	case call.Elsewhere:
		out.When = "now, if no other account can pay: the upstream's own answer; from then on, of Weir"
		r.Reason, r.RetryIn, r.Waited = call.AccountBlocked, 0, 0
		if !v.Until.IsZero() {
			r.RetryIn = v.Until.Sub(now)
		}
	case call.Requeue:
		out.When = "only if there is no room before its deadline, of Weir"
		r.Reason = call.TimedOut
	case call.Retry:
		out.When = "only if it keeps failing before the first content: the upstream's own answer if there is one, else of Weir"
		r.Reason = call.UpstreamDown
	}
	book := words.New()
	en, zh := book.Refusal("en", &r), book.Refusal("zh", &r)
	out.En, out.Zh = []string{en.Message, en.Hint}, []string{zh.Message, zh.Hint}
	return out
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestTaxonomy holds the judge, both decisions and the words to the golden
// files, one for each row of anthropic-api.md §3. With -update it writes them.
func TestTaxonomy(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 60 {
		t.Fatalf("found %d cases, %v", len(files), err)
	}
	seen := map[call.Kind]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if err := json.Unmarshal(raw, &g); err != nil {
				t.Fatal(err)
			}
			v, cause := g.Input.judge(t)
			seen[v.Kind] = true
			got := conclude(v, cause)
			if *update {
				g.Want = got
				if err := os.WriteFile(file, encode(t, g), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want := encode(t, g.Want); !bytes.Equal(encode(t, got), want) {
				t.Errorf("%s: concluded\n%swant\n%s", g.About, encode(t, got), want)
			}
		})
	}
	for k := call.OK + 1; k <= call.Unreachable; k++ {
		if !seen[k] {
			t.Errorf("no case of %v", k)
		}
	}
}

// TestDecisionsAreTotal: every verdict, even one of an unknown kind, has both
// decisions, and they agree with each other.
func TestDecisionsAreTotal(t *testing.T) {
	for k := range call.Kind(32) {
		for _, workspace := range []bool{false, true} {
			v := call.Verdict{Kind: k, Workspace: workspace}
			said := fmt.Sprint(v.Effect(), " ", v.Course())
			if v.Account() == v.Transient() && v.Course() != call.Deliver {
				t.Errorf("kind %d: %s, account %v, transient %v", k, said, v.Account(), v.Transient())
			}
			if blocks := strings.HasPrefix(said, "block_"); blocks != v.Account() {
				t.Errorf("kind %d: %s, account %v", k, said, v.Account())
			}
			if v.Paced() && !v.Transient() {
				t.Errorf("kind %d: %s is paced but not transient", k, said)
			}
		}
	}
}

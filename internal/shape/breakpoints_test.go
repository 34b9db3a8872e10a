package shape_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
	"github.com/weir-gateway/weir/internal/shape"
)

const (
	mark     = `,"cache_control":{"type":"ephemeral"}`
	hourMark = `,"cache_control":{"type":"ephemeral","ttl":"1h"}`
)

// agent sends requests of one tenant through the step. What is written in
// capitals is about a thousand tokens.
type agent struct {
	room   *classify.Room
	step   *shape.Breakpoints
	tenant string
}

func newAgent(cfg shape.BreakpointsConfig) *agent {
	return &agent{classify.New(classify.Config{Ends: true}), shape.NewBreakpoints(cfg), "a"}
}

// ask sends a request with those tools, that system prompt and those messages,
// user and assistant in turns, and returns it as it goes on, or "" if it stayed
// as it was. A part is a name; | separates blocks.
func (a *agent) ask(t testing.TB, tools, system string, messages ...string) string {
	t.Helper()
	c := a.classified(t, request(tools, system, messages))
	before := string(c.Body)
	if !a.step.Prepare(c) {
		if string(c.Body) != before || c.Prompt.Marks != 0 || c.Content.Prefixes != nil {
			t.Errorf("nothing was reported, but the call is %+v", c)
		}
		return ""
	}
	sameButMarked(t, []byte(before), c)
	return shorten(string(c.Body))
}

func (a *agent) classified(t testing.TB, body string) *call.Call {
	t.Helper()
	c, err := read(a.room, a.tenant, []byte(body), 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Estimate.Input = call.Tokens(len(body) / 4)
	return c
}

func request(tools, system string, messages []string) string {
	var b strings.Builder
	b.WriteString(`{"model":"claude-sonnet-5"`)
	if tools != "" {
		b.WriteString(`,"tools":[{"name":"` + long(tools) + `"}]`)
	}
	if system != "" {
		b.WriteString(`,"system":"` + long(system) + `"`)
	}
	for i, m := range messages {
		if i == 0 {
			b.WriteString(`,"messages":[`)
		} else {
			b.WriteByte(',')
		}
		b.WriteString(`{"role":"` + [2]string{"user", "assistant"}[i%2] + `","content":[`)
		for j, block := range strings.Split(m, "|") {
			if j > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`{"type":"text","text":"` + long(block) + `"}`)
		}
		b.WriteString(`]}`)
	}
	return b.String() + `]}`
}

const filler = 1200

func long(name string) string {
	if name == strings.ToUpper(name) {
		return name + strings.Repeat(" word", filler)
	}
	return name
}

// shorten leaves the names alone, and * for each mark.
func shorten(body string) string {
	body = strings.ReplaceAll(strings.ReplaceAll(body, mark, "*"), hourMark, "*")
	for _, noise := range []string{
		strings.Repeat(" word", filler), `{"model":"claude-sonnet-5",`, `"type":"text","text":`, `"role":`, `"content":`, `"name":`,
		`"messages":`, `"tools":`, `"system":`, `"`, "[", "]", "{", "}", "user,", "assistant,",
	} {
		body = strings.ReplaceAll(body, noise, "")
	}
	return body
}

func TestConversationsAreMarkedAsTheyGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(shape.BreakpointsConfig{})
		for i, step := range []struct {
			messages []string
			want     string
		}{
			{[]string{"Q1"}, ""}, // nobody knows yet
			{[]string{"Q1", "a1", "Q2"}, "T*,S*,Q1*,a1,Q2*"},
			{[]string{"Q1", "a1", "Q2", "a2", "r|q3"}, "T*,S*,Q1,a1,Q2*,a2,r,q3*"},
			{[]string{"Q1", "a1", "Q2", "a2", "r|q3", "a3", "Q4"}, "T*,S*,Q1,a1,Q2,a2,r,q3*,a3,Q4*"},
			{[]string{"OTHER"}, "T*,S*,OTHER*"}, // most go on
		} {
			if got := a.ask(t, "T", "S", step.messages...); got != step.want {
				t.Errorf("turn %d: %s, want %s", i, got, step.want)
			}
			time.Sleep(time.Minute)
		}
		time.Sleep(4 * time.Minute)
		if got := a.ask(t, "T", "S", "LATER"); got != "T*,S*,LATER*" {
			t.Errorf("after the cache has forgotten it all: %s, but most still go on", got)
		}
	})
}

func TestOneShotsAreMarkedBeforeWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, tc := range map[string]struct {
			tools, system, message string // # is another one each time
			want                   string
		}{
			"system":             {"T", "S", "Q#", "T*,S*,Q#"},
			"tools":              {"T", "S#", "Q#", "T*,S#,Q#"},
			"document":           {"", "", "DOCUMENT|q#", "DOCUMENT*,q#"},
			"document-and-rules": {"T", "S", "DOCUMENT|q#", "T*,S*,DOCUMENT*,q#"},
			"short":              {"", "s", "q#", ""},
			"nothing":            {"T#", "S#", "Q#", ""},
			"the-same":           {"", "S", "Q", "S*,Q*"},
		} {
			a := newAgent(shape.BreakpointsConfig{})
			for i := range 20 {
				n := fmt.Sprint(i)
				fill := func(s string) string { return strings.ReplaceAll(s, "#", n) }
				want := fill(tc.want)
				if i == 0 {
					want = ""
				}
				if got := a.ask(t, fill(tc.tools), fill(tc.system), fill(tc.message)); got != want {
					t.Errorf("%s: request %d: %s, want %s", name, i, got, want)
				}
				time.Sleep(20 * time.Second)
			}
		}
	})
}

func TestLastWordsMayChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(shape.BreakpointsConfig{})
		var history []string
		for i := range 6 {
			n := fmt.Sprint(i)
			got := a.ask(t, "", "S", append(slices.Clone(history), "Q"+n+"|reminder"+n)...)
			if i > 1 && !strings.Contains(got, "Q"+fmt.Sprint(i-1)+"*") {
				t.Errorf("turn %d: %s, want what is left of the turn before to be marked", i, got)
			}
			history = append(history, "Q"+n, "a"+n)
		}
	})
}

func TestRepeatsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(shape.BreakpointsConfig{Repeats: 4, TTL: time.Hour})
		for i := range 6 {
			got := a.ask(t, "", "S", "Q"+fmt.Sprint(i))
			if (got != "") != (i >= 3) {
				t.Errorf("request %d: %q", i, got)
			}
			time.Sleep(50 * time.Minute)
		}
	})
}

func TestWhatIsLeftAlone(t *testing.T) {
	own := strings.Replace(request("T", "S", []string{"Q"}), `"}]`, `"`+mark+`}]`, 1)
	for name, tc := range map[string]struct {
		cfg  shape.BreakpointsConfig
		body string
	}{
		"marked-by-caller": {shape.BreakpointsConfig{}, own},
		"tenant":           {shape.BreakpointsConfig{ExceptTenants: []string{"a"}}, request("T", "S", []string{"Q"})},
		"model":            {shape.BreakpointsConfig{ExceptModels: []string{"claude-sonnet-5"}}, request("T", "S", []string{"Q"})},
		"deferred-tool":    {shape.BreakpointsConfig{}, `{"model":"m","tools":[{"name":"` + long("T") + `","defer_loading":true}],"messages":[]}`},
		"prefill":          {shape.BreakpointsConfig{}, `{"model":"m","messages":[{"role":"assistant","content":"` + long("A") + `"}]}`},
	} {
		a := newAgent(tc.cfg)
		for range 4 {
			if c := a.classified(t, tc.body); a.step.Prepare(c) || string(c.Body) != tc.body {
				t.Errorf("%s: it became %s", name, shorten(string(c.Body)))
			}
		}
	}
}

func TestAnotherBodyIsNotEdited(t *testing.T) {
	a := newAgent(shape.BreakpointsConfig{})
	for range 3 {
		c := a.classified(t, request("T", "S", []string{"Q"}))
		c.Body = []byte(strings.Replace(string(c.Body), "word", "Word", 1)) // by another step
		if a.step.Prepare(c) {
			t.Fatal("the places in the body are not those that were read")
		}
	}
}

// TestTenantsLearnApart: whether a tenant's requests are marked does not depend
// on what others send.
func TestTenantsLearnApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		day := func(company bool) (out []string) {
			rng := rand.New(rand.NewPCG(1, 2))
			a := newAgent(shape.BreakpointsConfig{})
			for range 80 {
				q := fmt.Sprint("Q", rng.IntN(40))
				if company {
					a.tenant = "b"
					a.ask(t, "T", "S", q)
				}
				a.tenant = "a"
				out = append(out, a.ask(t, "T", "S"+fmt.Sprint(rng.IntN(9)), q))
				time.Sleep(time.Duration(rng.IntN(90)) * time.Second)
			}
			return out
		}
		if !slices.Equal(day(false), day(true)) {
			t.Error("tenant a's requests are marked because of tenant b's")
		}
	})
}

// TestLossesAreBounded: where every prompt comes twice and never again, which is
// the worst that can happen, the marks stop.
func TestLossesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(shape.BreakpointsConfig{})
		var input, written call.Tokens
		for i := range 3000 {
			c := a.classified(t, request("", "S"+fmt.Sprint(i/2), []string{"q"}))
			a.step.Prepare(c)
			u := call.Usage{Input: c.Estimate.Input, Exact: true}
			if c.Prompt.Marks > 0 {
				u.CacheWrite, u.Input = u.Input, 0
			}
			a.step.Learn(c, u)
			input += u.Input + u.CacheWrite
			written += u.CacheWrite
			time.Sleep(time.Second)
		}
		premium := 0.25 * float64(written)
		t.Logf("%d of %d tokens were written in vain: %.2f %% more", written, input, 100*premium/float64(input))
		if most := shape.FirstPurse + 1.01*shape.PurseShare*float64(input); written == 0 || premium > most {
			t.Errorf("it cost %.0f tokens more, want at most %.0f", premium, most)
		}
	})
}

// TestAnEmptyPurseStillReads: what is in the cache is read on, but nothing more
// is written.
func TestAnEmptyPurseStillReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAgent(shape.BreakpointsConfig{})
		a.ask(t, "T", "S", "Q1")
		a.ask(t, "T", "S", "Q1", "a1", "Q2")
		c := a.classified(t, request("T", "S", []string{"Q1"}))
		c.Prompt.Marks = 4
		a.step.Learn(c, call.Usage{CacheWrite: 1_000_000})
		if got, want := a.ask(t, "T", "S", "Q1", "a1", "Q2", "a2", "Q3"), "T*,S*,Q1,a1,Q2*,a2,Q3"; got != want {
			t.Errorf("with an empty purse: %s, want %s", got, want)
		}
		if got := a.ask(t, "", "OTHER", "Q1") + a.ask(t, "", "OTHER", "Q2"); got != "" {
			t.Errorf("with an empty purse: %s", got)
		}
		a.step.Learn(c, call.Usage{CacheRead: 1_000_000})
		if got := a.ask(t, "", "OTHER", "Q3"); got == "" {
			t.Error("the purse is full again, but nothing is marked")
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	a := newAgent(shape.BreakpointsConfig{})
	c := a.classified(t, request("T", "S", []string{"Q"}))
	ends, body := c.Content.Ends, c.Body
	for i := range 100_000 {
		twin := c.Clone()
		twin.Body, twin.Content.Read, twin.Content.Ends = body, body, slices.Clone(ends)
		for j := range twin.Content.Ends {
			twin.Content.Ends[j].Hash += uint64(i) << 8
		}
		twin.Tenant = fmt.Sprint(i / 4)
		a.step.Prepare(twin)
	}
	seen, going, purses := a.step.Remembered()
	if seen > shape.MaxSeen || going > shape.MaxGoing || purses > shape.MaxPurses || seen < shape.MaxSeen/2 {
		t.Errorf("%d beginnings, %d conversations and %d purses are remembered", seen, going, purses)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/sim"
)

// asker runs weir ask with an environment, and what stands in the input.
type asker struct {
	vars  map[string]string
	stdin string
}

func (a asker) ask(t *testing.T, code int, args ...string) (out, talk string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	e := env{stdin: strings.NewReader(a.stdin), stdout: &stdout, stderr: &stderr, getenv: func(name string) string { return a.vars[name] }}
	if got := run(t.Context(), e, append([]string{"ask"}, args...)); got != code {
		t.Errorf("%v: exit %d, want %d: %s", args, got, code, stderr.String())
	}
	return stdout.String(), stderr.String()
}

// simulatedAPI is a simulated API on a socket.
func simulatedAPI(t *testing.T, limits sim.Limits) (*sim.Server, string) {
	t.Helper()
	api, err := sim.New(sim.Config{Limits: limits, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(api)
	t.Cleanup(upstream.Close)
	return api, upstream.URL
}

// TestAsk asks through weir serve with whole and split files.
func TestAsk(t *testing.T) {
	api, upstream := simulatedAPI(t, sim.Limits{Requests: 1000, InputTokens: 400_000, OutputTokens: 80_000})
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte("split: {above: 20000}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	weir := start(t, "--config", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", upstream)
	a := asker{
		vars:  map[string]string{"ANTHROPIC_API_KEY": "sk-ant-api03-x", "ANTHROPIC_BASE_URL": weir.data},
		stdin: strings.Repeat("The river rose in the night. Nobody slept.\n\n", 6000),
	}
	out, talk := a.ask(t, exitOK, "What is a weir?", "--class", "interactive", "--system", "Be brief.")
	if strings.TrimSpace(out) == "" || !strings.Contains(talk, "at most $0.0") || !strings.Contains(talk, "output tokens, $0.0") || !strings.Contains(talk, "is not known") {
		t.Errorf("answered %q, %q", out, talk)
	}

	before := api.Stats().Requests
	out, _ = a.ask(t, exitOK, "--admin", weir.admin, "--file", "-", "--split", "auto", "--dry-run", "--json", "Summarise this.")
	var plan askPlan
	if err := json.Unmarshal([]byte(out), &plan); err != nil || plan.Parts < 3 || plan.Requests <= plan.Parts || plan.Input < 60_000 || plan.MaxCost <= 0 || plan.Wait == nil || plan.Counted {
		t.Errorf("%v: %s", err, out)
	}
	if n := api.Stats().Requests - before; n != 0 {
		t.Errorf("a dry run sent %d requests", n)
	}
	out, talk = a.ask(t, exitOK, "--admin", weir.admin, "--file", "-", "--split", "auto", "--json", "Summarise this.")
	var answer askAnswer
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer.Parts != plan.Parts || answer.Text == "" || answer.Input < 60_000 || answer.Cost <= 0 || answer.Cost > plan.MaxCost {
		t.Errorf("%v: %s %s", err, out, talk)
	}
	if n := int(api.Stats().Requests - before); n > plan.Requests {
		t.Errorf("%d requests, planned %d", n, plan.Requests)
	}
	out, _ = a.ask(t, exitOK, "--file", "-", "--count", "--dry-run", "--json", "Summarise this.")
	if err := json.Unmarshal([]byte(out), &plan); err != nil || !plan.Counted || plan.Parts != 0 || plan.Requests != 1 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestAskSaysWhyNot(t *testing.T) {
	_, upstream := simulatedAPI(t, sim.Limits{})
	weir := start(t, "--listen", "127.0.0.1:0", "--admin", "off", "--upstream", upstream)
	dir := t.TempDir()
	file := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	a := asker{vars: map[string]string{"ANTHROPIC_API_KEY": "sk-ant-api03-x", "ANTHROPIC_BASE_URL": weir.data}}
	for name, tt := range map[string]struct {
		code int
		want string
		args []string
	}{
		"nothing":      {exitUsage, "one question is needed", nil},
		"two":          {exitUsage, "quote it", []string{"What", "now?"}},
		"max-tokens":   {exitUsage, "--max-tokens 0", []string{"--max-tokens", "0", "x"}},
		"class":        {exitUsage, "--class", []string{"--class", "now", "x"}},
		"lang":         {exitUsage, "--lang", []string{"--lang", "fr", "x"}},
		"gateway":      {exitUsage, "is not an address", []string{"--gateway", "here", "x"}},
		"split":        {exitUsage, "weir-split must be off or auto", []string{"--split", "maybe", "x"}},
		"no-file":      {exitUsage, "no such file", []string{"--file", file("a", "") + "x", "x"}},
		"empty":        {exitUsage, "empty cannot be asked about: it is empty", []string{"--file", file("empty", "\n"), "x"}},
		"binary":       {exitUsage, "name a file of text, a PDF, or a picture", []string{"--file", file("elf", "\x7fELF\x00"), "x"}},
		"no-utf-8":     {exitUsage, "iconv -f GB18030", []string{"--file", file("gbk", "\xba\xd3\xcb\xae"), "x"}},
		"empty-stdin":  {exitUsage, "the standard input cannot be asked about", []string{"--file", "-", "x"}},
		"no-model":     {exitFailed, "claude-nobody-1", []string{"--model", "claude-nobody-1", "x"}},
		"too-long":     {exitFailed, "with --split auto", []string{"--model", "claude-haiku-4-5", "--lang", "en", "--file", file("long", strings.Repeat("tide ", 300_000)), "x"}},
		"no-admin":     {exitFailed, "--admin tells nothing", []string{"--admin", "http://127.0.0.1:1", "x"}},
		"nobody-there": {exitFailed, "is the gateway running?", []string{"--gateway", "http://127.0.0.1:1", "x"}},
	} {
		out, talk := a.ask(t, tt.code, tt.args...)
		if !strings.Contains(talk, tt.want) || out != "" {
			t.Errorf("%s: said %q, want %q", name, talk, tt.want)
		}
	}
}

// TestAskWithoutGateway asks the API itself if nobody listens.
func TestAskWithoutGateway(t *testing.T) {
	if listens(t.Context(), localGateway) {
		t.Skip("a gateway runs on this machine")
	}
	_, upstream := simulatedAPI(t, sim.Limits{})
	a := asker{vars: map[string]string{"WEIR_UPSTREAM": upstream}}
	if _, talk := a.ask(t, exitFailed, "Hello?"); !strings.Contains(talk, "ANTHROPIC_API_KEY") || !strings.Contains(talk, "--profile development") {
		t.Errorf("said %q", talk)
	}
	a.ask(t, exitOK, "--dry-run", "Hello?")
	a.vars["ANTHROPIC_API_KEY"] = "sk-ant-api03-x"
	if out, talk := a.ask(t, exitOK, "Hello?"); out == "" {
		t.Errorf("said %q", talk)
	}
}

// TestAskTellsWhatTheAnswerWas reads an answer that has everything.
func TestAskTellsWhatTheAnswerWas(t *testing.T) {
	var asked askMessage
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(raw, &asked); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Weir-Degraded", "fallback; from=claude-opus-5")
		w.Header().Set("Weir-Warning", "input is low")
		io.WriteString(w, `{"type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"Yes"}],"stop_reason":"max_tokens",`+
			`"usage":{"input_tokens":9,"cache_read_input_tokens":100,"cache_creation_input_tokens":50,"cache_creation":{"ephemeral_1h_input_tokens":20},"output_tokens":3,"service_tier":"priority"}}`)
	}))
	defer api.Close()
	picture := filepath.Join(t.TempDir(), "weir.png")
	if err := os.WriteFile(picture, []byte("\x89PNG\r\n\x1a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := asker{vars: map[string]string{"ANTHROPIC_BASE_URL": api.URL}, stdin: "%PDF-1.4"}
	out, talk := a.ask(t, exitOK, "--file", picture, "--file", "-", "--model", "claude-opus-5", "Is it?")
	for _, want := range []string{
		"159 input and 3 output tokens (100 from the prompt cache, 50 into it), $0.0001", "simpler one: fallback; from=claude-opus-5", "warning: input is low",
		"service tier priority", "cut off by --max-tokens",
	} {
		if !strings.Contains(talk, want) {
			t.Errorf("it does not say %q: %s", want, talk)
		}
	}
	if q, err := newAskRequest(t.Context(), env{}, askFlags{}, "<p>"); err != nil || !bytes.Contains(q.body, []byte(`"<p>"`)) {
		t.Errorf("%v: %s", err, q.body)
	}
	if blocks := asked.Messages[0].Content; out != "Yes\n" || len(blocks) != 3 || blocks[0].Type != "image" || blocks[1].Type != "document" || blocks[2].Text != "Is it?" {
		t.Errorf("asked %+v, printed %q", asked, out)
	}
	out, _ = a.ask(t, exitOK, "--json", "Is it?")
	var answer askAnswer
	// 9, 100 read, 30 and 20 written, 3 out, by the list prices of claude-haiku-4-5.
	if exact := call.USD(9*1_000_000 + 100*100_000 + 30*1_250_000 + 20*2_000_000 + 3*5_000_000); json.Unmarshal([]byte(out), &answer) != nil || answer.Cost != exact || answer.HourMade != 20 {
		t.Errorf("want $%s: %s", exact, out)
	}
}

func TestAskInterrupted(t *testing.T) {
	asked, gone := make(chan struct{}), make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(asked)
		<-r.Context().Done()
		close(gone)
	}))
	defer api.Close()
	weir := start(t, "--listen", "127.0.0.1:0", "--admin", "off", "--upstream", api.URL)
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		<-asked
		interrupt()
	}()
	var talk bytes.Buffer
	e := env{stdin: strings.NewReader(""), stdout: io.Discard, stderr: &talk, getenv: func(string) string { return "sk-ant-api03-x" }}
	if code := run(ctx, e, []string{"ask", "--gateway", weir.data, "Well?"}); code != exitFailed || !strings.Contains(talk.String(), "the question was taken back") {
		t.Errorf("exit %d: %s", code, talk.String())
	}
	<-gone // or the upstream would go on
}

// TestAskInterruptedAtItsInput leaves while the input has no end.
func TestAskInterruptedAtItsInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, typing := io.Pipe()
		defer typing.Close()
		ctx, interrupt := context.WithTimeout(t.Context(), time.Second)
		defer interrupt()
		var talk bytes.Buffer
		e := env{stdin: in, stdout: io.Discard, stderr: &talk, getenv: func(string) string { return "" }}
		if code := run(ctx, e, []string{"ask", "--file", "-", "Well?"}); code != exitFailed || !strings.Contains(talk.String(), "taken back") {
			t.Errorf("exit %d: %s", code, talk.String())
		}
	})
}

// full is a place that nothing can be written to.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAskCannotPrint(t *testing.T) {
	_, upstream := simulatedAPI(t, sim.Limits{})
	var talk bytes.Buffer
	e := env{stdin: strings.NewReader(""), stdout: full{}, stderr: &talk, getenv: func(string) string { return "sk-ant-any" }}
	if code := run(t.Context(), e, []string{"ask", "--gateway", upstream, "Well?"}); code != exitFailed || !strings.Contains(talk.String(), "print the answer: no space left") {
		t.Errorf("exit %d: %s", code, talk.String())
	}
}

func TestAskProgress(t *testing.T) {
	for name, tt := range map[string]struct {
		live bool
		want string
	}{
		"lines": {false, "weir: waits for quota, position 3, about 40s\nweir: 1 of 4 parts answered, about 15s to go, about 200 tokens read, $0.2000 at most so far\n"},
		"terminal": {true, strings.Repeat("\r\x1b[Kwaits for quota, position 3, about 40s · 5s", 2) +
			"\r\x1b[K[██████░░░░░░░░░░░░░░░░░░] 1 of 4 parts answered, about 15s to go, about 200 tokens read, $0.2000 at most so far · 5s\r\x1b[K"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				plan := askPlan{Requests: 5, Input: 1000, MaxCost: call.Dollar, Priced: true}
				p := newAskProgress(env{stderr: &out}, plan, func(context.Context, string) (call.WaiterReport, bool) {
					return call.WaiterReport{Position: 3, ETA: new(40.0)}, true
				})
				p.live = tt.live
				time.Sleep(5 * time.Second)
				p.look(t.Context()) // nothing is known of the call yet
				out.Reset()
				p.answered("req_1")
				p.look(t.Context())
				p.look(t.Context()) // nothing is new
				p.parts(1, 4)
				if !tt.live {
					time.Sleep(10 * time.Second)
					p.parts(1, 4) // it has only become later
				}
				p.piece("The answer begins.", true)
				p.look(t.Context())
				if out.String() != tt.want {
					t.Errorf("told %q, want %q", out.String(), tt.want)
				}
			})
		})
	}
}

func TestAskPlanInWords(t *testing.T) {
	split := askPlan{Model: "m", Input: 900_000, Parts: 9, Requests: 10, MaxCost: call.Dollar, Priced: true, Wait: new(125.4), BoundBy: "input_tokens", Waiting: 7}
	for want, p := range map[string]askPlan{
		"about 900000 input tokens for m in 9 parts and 10 requests; at most $1.0000; at least 2m5s, by the quota of input tokens, but 7 others wait": split,
		"12 input tokens for m; its price is not known; there is quota for it now":                                                                    {Model: "m", Input: 12, Counted: true, Wait: new(0.0)},
		"about 12 input tokens for m; its price is not known; how long it takes is not known\n" +
			"weir: that is too long for the model or the quota; with --split auto it would be asked in parts": {Model: "m", Input: 12, TooLong: true},
	} {
		if got := p.String(); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}

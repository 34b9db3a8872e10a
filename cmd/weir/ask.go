package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

// askFlags are the flags of weir ask.
type askFlags struct {
	split, model, gateway string
	files                 []string
	maxTokens             int64
	maxWait               time.Duration
	dryRun, asJSON        bool
}

func askCommand(e env) *cobra.Command {
	var f askFlags
	cmd := &cobra.Command{
		Use:   "ask PROMPT",
		Short: "Ask one question, about files of any length if need be",
		Long: `Asks one question and prints the answer while it comes. Files are put in front of
the question; - is the standard input. With --split auto, files that are too long for
the model or the quota are answered in parts, whose answers are made one.

It asks the gateway at --gateway or ANTHROPIC_BASE_URL, else the one on this machine,
else the API itself with ANTHROPIC_API_KEY, holding to its quota all the same.`,
		Example: "  weir ask \"What is a weir?\"\n  weir ask --file book.txt --split auto \"Summarise this book.\"\n  git diff | weir ask --file - --dry-run \"Review this.\"",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || strings.TrimSpace(args[0]) == "" {
				return usageError{hinted{errors.New("one question is needed"), `quote it: weir ask "What is a weir?"`}}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runAsk(cmd.Context(), e, f, args[0]) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.split, "split", "off", "off, or auto, or auto with a way to merge such as \"auto; merge=list\" (reduce, concat, list)")
	fs.StringArrayVar(&f.files, "file", nil, "text file that the question is about; - is the standard input; may be repeated")
	fs.StringVar(&f.model, "model", "claude-sonnet-5", "model to ask")
	fs.Int64Var(&f.maxTokens, "max-tokens", 4096, "tokens of the answer at most")
	fs.StringVar(&f.gateway, "gateway", "", "address of the gateway (default: ANTHROPIC_BASE_URL, else http://127.0.0.1:8787)")
	fs.DurationVar(&f.maxWait, "max-wait", time.Hour, "how long to wait for quota")
	fs.BoolVar(&f.dryRun, "dry-run", false, "say what it would cost, and ask nothing")
	fs.BoolVar(&f.asJSON, "json", false, "print the answer with its usage and cost as JSON")
	return cmd
}

func (f *askFlags) check() error {
	var errs []error
	if f.maxTokens < 1 {
		errs = append(errs, fmt.Errorf("--max-tokens %d is out of range: use 1 or more", f.maxTokens))
	}
	if f.maxWait <= 0 {
		errs = append(errs, fmt.Errorf("--max-wait %v is not positive", f.maxWait))
	}
	if u, err := url.Parse(f.gateway); f.gateway != "" && (err != nil || u.Host == "") {
		errs = append(errs, fmt.Errorf("--gateway %q is not an address such as http://127.0.0.1:8787", f.gateway))
	}
	return errors.Join(errs...)
}

// askPlan is what is known before a question is asked.
type askPlan struct {
	Model    string      `json:"model"`
	Input    call.Tokens `json:"input_tokens"` // estimated
	MaxCost  call.USD    `json:"max_cost_usd"` // if the answer takes all of max_tokens
	Priced   bool        `json:"priced"`       // false: the model has no list price, and the dearest counts
	MaxToken int64       `json:"max_tokens"`
}

func runAsk(ctx context.Context, e env, f askFlags, prompt string) error {
	if err := f.check(); err != nil {
		return usageError{err}
	}
	plan := askPlan{Model: f.model, MaxToken: f.maxTokens, Input: weir.EstimateText(f.model, prompt)}
	type block struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	var blocks []block
	for _, name := range f.files {
		text, err := readText(e, name)
		if err != nil {
			return err
		}
		plan.Input += weir.EstimateText(f.model, text)
		blocks = append(blocks, block{"text", text})
	}
	blocks = append(blocks, block{"text", prompt})
	plan.MaxCost, plan.Priced = weir.ListPrice(f.model, call.Usage{Input: plan.Input, Output: call.Tokens(f.maxTokens)})
	fmt.Fprintf(e.stderr, "weir: about %d input tokens for %s; %s\n", plan.Input, f.model, plan.money(f.split))
	if f.dryRun {
		if f.asJSON {
			return json.NewEncoder(e.stdout).Encode(plan)
		}
		return nil
	}
	body, err := json.Marshal(map[string]any{
		"model": f.model, "max_tokens": f.maxTokens, "stream": true,
		"messages": []any{map[string]any{"role": "user", "content": blocks}},
	})
	if err != nil {
		return err
	}
	a := &asking{askFlags: f, env: e, began: time.Now()}
	if err := a.connect(ctx); err != nil {
		return err
	}
	defer a.close()
	return a.run(ctx, body)
}

func (p askPlan) money(split string) string {
	switch {
	case !p.Priced:
		return "its price is not known"
	case split != "off":
		return fmt.Sprintf("some $%s for one answer, more where it is split", dollars(p.MaxCost))
	}
	return fmt.Sprintf("at most $%s", dollars(p.MaxCost))
}

// asking is one question that is being asked.
type asking struct {
	askFlags
	env     env
	client  http.Client
	base    string
	key     string
	gateway *weir.Gateway // of our own; nil: another process has one
	began   time.Time
	answer  askAnswer
	text    strings.Builder
}

// localGateway is where weir serve listens unless it is told otherwise.
const localGateway = "http://127.0.0.1:8787"

// connect finds a gateway, or makes one.
func (a *asking) connect(ctx context.Context) error {
	key := a.env.getenv("ANTHROPIC_API_KEY")
	a.key = cmp.Or(key, "none") // a gateway on loopback needs none
	named := cmp.Or(a.askFlags.gateway, a.env.getenv("ANTHROPIC_BASE_URL"))
	a.base = strings.TrimSuffix(strings.TrimRight(cmp.Or(named, localGateway), "/"), "/v1")
	if named != "" || listens(ctx, a.base) {
		return nil
	}
	if key == "" {
		return hinted{errors.New("no gateway listens on " + localGateway + ", and there is no key to ask the API with"), "start weir serve, name a --gateway, or set ANTHROPIC_API_KEY"}
	}
	g, err := weir.New(weir.WithAPIKey("ANTHROPIC_API_KEY", key), weir.WithUpstream(cmp.Or(a.env.getenv("WEIR_UPSTREAM"), weir.DefaultUpstream)))
	if err != nil {
		return err
	}
	a.gateway, a.client.Transport = g, g.Transport()
	return nil
}

// listens reports whether somebody takes connections at a base address.
func listens(ctx context.Context, base string) bool {
	dialer := net.Dialer{Timeout: 300 * time.Millisecond}
	conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func (a *asking) close() {
	if a.gateway != nil {
		a.gateway.Close()
	}
}

func (a *asking) run(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+"/v1/messages", bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		"X-Api-Key": a.key, "Anthropic-Version": "2023-06-01", "Content-Type": "application/json", "User-Agent": "weir-ask",
		"Weir-Split": a.split, "Weir-Max-Wait": a.maxWait.String(),
	} {
		req.Header.Set(name, value)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return hinted{fmt.Errorf("ask %s: %w", a.base, err), "is the gateway running? weir doctor looks"}
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what could be read will do
		return refusedAnswer(resp.Status, raw)
	}
	a.answer.RequestID = resp.Header.Get("Weir-Request-Id")
	if n := resp.Header.Get("Weir-Split"); n != "" {
		fmt.Sscan(n, &a.answer.Parts)
	}
	if err := a.read(resp.Body); err != nil {
		return err
	}
	return a.finish()
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/question"
	"github.com/weir-gateway/weir/internal/top"
)

// askFlags are the flags of weir ask.
type askFlags struct {
	split, model, system, class, lang string
	gateway, admin                    string
	files                             []string
	maxTokens                         int64
	maxWait                           time.Duration
	count, dryRun, asJSON             bool
}

func askCommand(e env) *cobra.Command {
	var f askFlags
	cmd := &cobra.Command{
		Use:   "ask PROMPT",
		Short: "Ask one question, about files of any length if need be",
		Long: `Asks one question and prints the answer while it comes. Files are put in front of
the question: text, PDFs and pictures; - is the standard input. With --split auto,
a text that is too long for the model or the quota is answered in parts, whose
answers are made one.

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
	fs.StringArrayVar(&f.files, "file", nil, "file that the question is about; - is the standard input; may be repeated")
	fs.StringVar(&f.model, "model", "claude-sonnet-5", "model to ask")
	fs.StringVar(&f.system, "system", "", "what the model is to know or to be beforehand")
	fs.Int64Var(&f.maxTokens, "max-tokens", 4096, "tokens of the answer at most")
	fs.StringVar(&f.class, "class", "", "interactive, normal or batch (default: the gateway's)")
	fs.StringVar(&f.gateway, "gateway", "", "address of the gateway (default: ANTHROPIC_BASE_URL, else http://127.0.0.1:8787)")
	fs.StringVar(&f.admin, "admin", "", "address of its admin plane, which tells of quota and queue (default: http://127.0.0.1:8788, for a gateway on this machine)")
	fs.DurationVar(&f.maxWait, "max-wait", time.Hour, "how long to wait for quota")
	fs.StringVar(&f.lang, "lang", "", "language of refusals: en or zh (default: by LC_ALL, LC_MESSAGES or LANG)")
	fs.BoolVar(&f.count, "count", false, "have the input counted by the API beforehand, which is free, instead of estimating it")
	fs.BoolVar(&f.dryRun, "dry-run", false, "say what it would cost and take, and ask nothing")
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
	if f.admin != "" {
		address, err := adminURL(f.admin)
		f.admin = address
		errs = append(errs, err)
	}
	if _, known := call.ParseClass(f.class); f.class != "" && !known {
		errs = append(errs, fmt.Errorf("--class %q is not known: use interactive, normal or batch", f.class))
	}
	if f.lang != "" && f.lang != "en" && f.lang != "zh" {
		errs = append(errs, fmt.Errorf("--lang %q is not known: use en or zh", f.lang))
	}
	return errors.Join(errs...)
}

// runAsk reads the files, says what the answer would take, and asks.
func runAsk(ctx context.Context, e env, f askFlags, prompt string) error {
	if err := f.check(); err != nil {
		return usageError{err}
	}
	f.lang = cmp.Or(f.lang, top.Language(e.getenv))
	q, err := newAskRequest(ctx, e, f, prompt)
	if err != nil {
		return err
	}
	g, err := openAskGateway(ctx, e, f)
	if err != nil {
		return err
	}
	defer g.stop()
	plan, err := g.foresee(ctx, f, q)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "weir: %s\n", plan)
	if f.dryRun {
		if f.asJSON {
			return printJSON(e.stdout, plan)
		}
		return nil
	}
	if !g.answers {
		return hinted{
			errors.New("no gateway listens on " + localGateway + ", and there is no key to ask the API with"),
			"start weir serve (with --profile development it needs no key and costs nothing), name a --gateway, or set ANTHROPIC_API_KEY",
		}
	}
	return askAndPrint(ctx, e, f, g, q, plan)
}

// askAndPrint asks, and prints the answer while it comes. An answer that cannot
// be printed need not be paid for: the question is taken back.
func askAndPrint(ctx context.Context, e env, f askFlags, g *askGateway, q askRequest, plan askPlan) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	began := time.Now()
	p := newAskProgress(e, plan, g.waiting)
	stop := p.start(ctx)
	defer stop()
	resp, err := g.post(ctx, "/v1/messages", q.header, q.body)
	if err != nil {
		return given(ctx, err)
	}
	defer resp.Body.Close()
	p.answered(resp.Header.Get("Weir-Request-Id"))
	var unprinted error
	r := question.Reader{Parts: p.parts, Piece: func(text string) {
		p.piece(text, !f.asJSON && isTerminal(e.stdout))
		if f.asJSON || unprinted != nil {
			return
		}
		if _, unprinted = io.WriteString(e.stdout, text); unprinted != nil {
			leave()
		}
	}}
	got, err := r.Read(resp)
	stop()
	if unprinted != nil {
		return fmt.Errorf("print the answer: %w", unprinted)
	}
	if !f.asJSON && got.Text != "" && !strings.HasSuffix(got.Text, "\n") {
		fmt.Fprintln(e.stdout)
	}
	if err != nil {
		return given(ctx, err)
	}
	a := newAskAnswer(got, resp.Header, time.Since(began))
	a.tell(e.stderr)
	if f.asJSON {
		return printJSON(e.stdout, a)
	}
	return nil
}

// errInterrupted is that a signal came.
var errInterrupted = errors.New("interrupted: the question was taken back")

// given is an error as people are told of it.
func given(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	if no, ok := errors.AsType[*question.Refusal](err); ok && no.Hint != "" {
		return hinted{no, no.Hint}
	}
	return err
}

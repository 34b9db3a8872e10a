package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/batch"
)

// batchFlags are the flags of weir batch.
type batchFlags struct {
	gateway, out, mode, keyEnv string
	version, tenant            string
	beta                       []string
	concurrency, size          int
	maxWait, settle            time.Duration
	asJSON                     bool
}

// The modes of weir batch.
const (
	modeAuto    = "auto"
	modeQueue   = "queue"
	modeBatches = "batches"
)

// autoBatches is from how many requests on --mode auto takes the Message
// Batches API.
const autoBatches = 1000

func batchCommand(e env) *cobra.Command {
	var f batchFlags
	cmd := &cobra.Command{
		Use:   "batch FILE.jsonl",
		Short: "Answer a file of requests, and go on after any interruption",
		Long: `Answers every request of a file, one a line: a request as for /v1/messages, or
{"custom_id": …, "params": …} as for the Message Batches API. All lines are checked
before anything is sent. Results are written as that API writes them,
{"custom_id": …, "result": {"type": "succeeded", …}}, each once, in no order.

--mode queue asks one by one; behind a gateway they wait in the lowest class and
take what quota others leave. --mode batches uses the Message Batches API: half
the price, a quota of its own, up to 24 hours. --mode auto takes it from ` + fmt.Sprint(autoBatches) + ` requests on.

Interrupted or killed, run the same command again: what has a result is not asked
for again.`,
		Example: "  weir batch requests.jsonl\n  weir batch requests.jsonl --mode queue --concurrency 64 --out answers.jsonl\n" +
			"  weir batch requests.jsonl --gateway https://api.anthropic.com --out - | jq .result.type",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{hinted{fmt.Errorf("one file of requests is needed, not %d", len(args)), `run "weir batch --help"`}}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runBatch(cmd.Context(), e, f, args[0]) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.gateway, "gateway", "", "address of the gateway or API (default: ANTHROPIC_BASE_URL, else http://127.0.0.1:8787)")
	fs.StringVar(&f.out, "out", "", "file of the results (default: FILE.results.jsonl); - prints them when all are there")
	fs.StringVar(&f.mode, "mode", modeAuto, "queue, batches or auto")
	fs.IntVar(&f.concurrency, "concurrency", 32, "requests under way at once, in mode queue")
	fs.IntVar(&f.size, "batch-size", 10_000, "requests of one batch at most, in mode batches")
	fs.DurationVar(&f.maxWait, "max-wait", 59*time.Minute, "how long a gateway may let a request wait before it is sent again, in mode queue; from 1h on a gateway may answer it by a batch")
	fs.DurationVar(&f.settle, "settle", 30*time.Second, "how long a batch that got no answer may take to show up, in mode batches")
	fs.StringVar(&f.tenant, "tenant", "", "whose share of a gateway's quota it is")
	fs.StringVar(&f.keyEnv, "key-env", "ANTHROPIC_API_KEY", "environment variable that holds the key")
	fs.StringVar(&f.version, "anthropic-version", "2023-06-01", "version of the API that the requests are written for")
	fs.StringSliceVar(&f.beta, "beta", nil, "beta features of the API that the requests use")
	fs.BoolVar(&f.asJSON, "json", false, "print a summary as JSON")
	return cmd
}

// check reports all faults of the flags at once.
func (f *batchFlags) check(e env) error {
	f.gateway = call.APIBase(cmp.Or(f.gateway, e.getenv("ANTHROPIC_BASE_URL"), localGateway))
	var errs []error
	if u, err := url.Parse(f.gateway); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		errs = append(errs, fmt.Errorf("--gateway %q is not an address such as http://127.0.0.1:8787", f.gateway))
	}
	if f.mode != modeAuto && f.mode != modeQueue && f.mode != modeBatches {
		errs = append(errs, fmt.Errorf("--mode %q is not known: use queue, batches or auto", f.mode))
	}
	if f.concurrency < 1 || f.concurrency > 10_000 {
		errs = append(errs, fmt.Errorf("--concurrency %d is out of range: use 1 to 10000", f.concurrency))
	}
	if f.size < 1 || f.size > batch.MaxRequests {
		errs = append(errs, fmt.Errorf("--batch-size %d is out of range: use 1 to %d", f.size, batch.MaxRequests))
	}
	if f.maxWait <= 0 || f.settle < 0 {
		errs = append(errs, errors.New("--max-wait must be positive, and --settle not negative"))
	}
	if f.asJSON && f.out == "-" {
		errs = append(errs, errors.New("--json and --out - would both print to the standard output"))
	}
	return errors.Join(errs...)
}

// batchRun is one run of weir batch.
type batchRun struct {
	batchFlags
	env   env
	file  string // of requests
	name  string // of the file of results
	in    *batch.Input
	out   *batch.Output
	state batch.Progress
}

func runBatch(ctx context.Context, e env, f batchFlags, file string) error {
	if err := f.check(e); err != nil {
		return usageError{err}
	}
	r := &batchRun{batchFlags: f, env: e, file: file, name: f.out}
	if f.out == "" || f.out == "-" {
		r.name = strings.TrimSuffix(file, ".jsonl") + ".results.jsonl"
	}
	var err error
	if r.in, err = batch.OpenInput(file); err != nil {
		return usageError{err}
	}
	defer r.in.Close()
	if r.out, err = batch.OpenOutput(r.name); err != nil {
		return err
	}
	defer r.out.Close()
	if err := r.choose(); err != nil {
		return err
	}
	before := 0
	for i := range r.in.Len() {
		if r.out.Has(r.in.ID(i)) {
			before++
		}
	}
	r.state.Begin(r.in.Len(), before)
	line := newBatchLine(e.stderr, &r.state)
	line.begin(r)
	err = r.run(ctx)
	line.end()
	return r.finish(ctx, err)
}

// choose settles the mode. What is under way as batches stays so.
func (r *batchRun) choose() error {
	pending, err := batch.Pending(r.stateFile())
	if err != nil {
		return err
	}
	switch {
	case pending && r.mode == modeQueue:
		return hinted{errors.New("batches of this file are under way, whose requests must not be asked for twice"), "run it with --mode batches"}
	case r.mode == modeAuto && (pending || r.in.Len() >= autoBatches):
		r.mode = modeBatches
	case r.mode == modeAuto:
		r.mode = modeQueue
	}
	return nil
}

func (r *batchRun) stateFile() string { return r.name + ".state" }

// batchGrace is how long requests under way may take after an interruption.
const batchGrace = 10 * time.Second

func (r *batchRun) run(ctx context.Context) error {
	transport := &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true, Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	api := &batch.API{Base: r.gateway, Header: r.header(), Transport: transport}
	if r.mode == modeBatches {
		b := &batch.Batches{API: api, State: r.stateFile(), Size: r.size, Settle: r.settle, Progress: &r.state}
		return b.Run(ctx, r.in, r.out)
	}
	q := &batch.Queue{API: api, Concurrency: r.concurrency, Grace: batchGrace, Progress: &r.state}
	return q.Run(ctx, r.in, r.out)
}

func (r *batchRun) header() http.Header {
	h := http.Header{}
	h.Set("X-Api-Key", cmp.Or(r.env.getenv(r.keyEnv), "none")) // a gateway on loopback needs none
	h.Set("Anthropic-Version", r.version)
	h.Set("User-Agent", "weir-batch")
	h.Set("Weir-Class", "batch")
	if r.mode == modeQueue {
		h.Set("Weir-Max-Wait", r.maxWait.String())
	}
	if len(r.beta) > 0 {
		h.Set("Anthropic-Beta", strings.Join(r.beta, ","))
	}
	if r.tenant != "" {
		h.Set("Weir-Tenant", r.tenant)
	}
	return h
}

// batchSummary is what weir batch --json prints.
type batchSummary struct {
	Requests  int     `json:"requests"`
	Succeeded int     `json:"succeeded"`
	Errored   int     `json:"errored"`
	Canceled  int     `json:"canceled"`
	Expired   int     `json:"expired"`
	Missing   int     `json:"missing"` // not answered yet
	Before    int     `json:"before"`  // of them answered by earlier runs
	Repeats   int     `json:"repeats"` // sent again after a failure that passes
	Mode      string  `json:"mode"`
	Out       string  `json:"out"`
	Seconds   float64 `json:"seconds"`
}

// finish tells how it went.
func (r *batchRun) finish(ctx context.Context, err error) error {
	kinds, state := r.out.Kinds(), r.state.State()
	s := batchSummary{
		Requests: state.Total, Succeeded: kinds[batch.Succeeded], Errored: kinds[batch.Errored],
		Canceled: kinds[batch.Canceled], Expired: kinds[batch.Expired], Missing: state.Total - state.Before - state.Done,
		Before: state.Before, Repeats: state.Repeats, Mode: r.mode, Out: r.name, Seconds: state.Took.Seconds(),
	}
	fmt.Fprintf(r.env.stderr, "weir: %d of %d requests answered in %s: %d succeeded, %d errored, %d canceled, %d expired; see %s\n",
		s.Requests-s.Missing, s.Requests, state.Took.Round(time.Millisecond), s.Succeeded, s.Errored, s.Canceled, s.Expired, r.name)
	if r.asJSON {
		err = errors.Join(err, printJSON(r.env.stdout, s))
	}
	again := "run the same command again to go on: what is answered is not asked for again"
	switch fatal, ok := errors.AsType[*batch.FatalError](err); {
	case ok:
		return hinted{fmt.Errorf("nothing more can be answered for now: %w", fatal), "when that is mended, " + again}
	case err != nil && ctx.Err() != nil:
		return hinted{fmt.Errorf("stopped before %d requests were answered", s.Missing), again}
	case err != nil:
		return err
	}
	if r.batchFlags.out == "-" {
		if err := r.print(); err != nil {
			return err
		}
	}
	if failed := s.Errored + s.Canceled + s.Expired; failed > 0 {
		return fmt.Errorf("%d of %d requests have no answer but an error, see %s", failed, s.Requests, r.name)
	}
	return nil
}

// print copies the results to the standard output.
func (r *batchRun) print() error {
	f, err := os.Open(r.name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(r.env.stdout, f)
	return err
}

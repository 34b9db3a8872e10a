package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/load"
)

// loadFlags are the flags of weir load.
type loadFlags struct {
	config, profile                string
	target, scenario, ramp, keyEnv string
	agents                         int
	rate                           float64
	total                          time.Duration
	models                         []string
	client                         string
	out                            outputs
	compare                        comparison
	pays                           bool
	maxCost, trace, writeTrace     string
	speed                          float64
}

// loadPlan is what the flags and the file ask for.
type loadPlan struct {
	target   load.Target
	workload load.Workload
	out      outputs
	other    *load.Target // to compare the target with, or nil
	rounds   int
	ramp     load.Ramp // no values: one step of the workload as it is
}

func loadCommand(e env) *cobra.Command {
	var f loadFlags
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Find out how much an endpoint can take",
		Long: `Sends requests to a gateway or an API as its users would, watches the rate-limit
headers of the answers, and prints what became of the requests. With --ramp the
number of agents rises step by step until more agents are not answered more, or
429s appear.

Against anything but this machine the requests cost money: that needs
--yes-this-costs-money.`,
		Example: "  weir load --agents 20 --for 1m\n  weir load --ramp 1,2,4,8,16x15s\n" +
			"  weir load --scenario workload.yaml --json\n  weir load --profile staging",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.configured(e); err != nil {
				return err
			}
			p, err := f.plan(e)
			if err != nil {
				return usageError{err}
			}
			if f.writeTrace != "" {
				return writeTrace(f.writeTrace, p.workload)
			}
			if err := somebodyThere(cmd.Context(), f.target, f.compare.other); err != nil {
				return err
			}
			if p.other != nil {
				return runComparison(cmd.Context(), e, p)
			}
			return runLoad(cmd.Context(), e, p)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.config, "config", "", "configuration file of the gateway: its load section says what the flags do not")
	fs.StringVar(&f.profile, "profile", "", "profile whose load section does, such as staging")
	fs.StringVar(&f.target, "target", "", "address of the gateway or API (default: the configuration's gateway, else http://127.0.0.1:8787)")
	fs.StringVar(&f.scenario, "scenario", "", "YAML file that describes the workload; other flags win over it")
	fs.IntVar(&f.agents, "agents", 0, "how many agents ask, each again after its answer (default: the scenario's, else 1)")
	fs.Float64Var(&f.rate, "rate", 0, "requests per second, whether or not answers come back, instead of agents")
	fs.DurationVar(&f.total, "for", 0, "how long (default: the scenario's, else 30s)")
	fs.StringVar(&f.ramp, "ramp", "", "steps and their length, such as 1,2,4,8x15s (agents), or rate=, input= or max_tokens=1000,4000x30s")
	fs.StringSliceVar(&f.models, "model", nil, "model to ask; give several to ask them by turns")
	fs.StringVar(&f.client, "client", "", "how the agents retry: none, sdk or python-sdk (default: the scenario's, else sdk)")
	fs.StringVar(&f.keyEnv, "key-env", "ANTHROPIC_API_KEY", "environment variable that holds the key")
	fs.StringVar(&f.trace, "trace", "", "JSONL file of recorded requests to send at their times, instead of agents or a rate")
	fs.Float64Var(&f.speed, "speed", 1, "how many times as fast the trace comes")
	fs.StringVar(&f.writeTrace, "write-trace", "", "write the arrivals that --rate or the scenario stands for as a trace to this file, and send nothing")
	fs.StringVar(&f.maxCost, "max-cost", "", "dollars that the run may cost at list prices, what is under way counted at its worst")
	fs.BoolVar(&f.out.asJSON, "json", false, "print the report as JSON")
	fs.StringVar(&f.compare.other, "compare", "", "address of a second target that gets the same load by turns")
	fs.StringVar(&f.compare.keyEnv, "compare-key-env", "", "environment variable that holds the second target's key (default: the first's)")
	fs.IntVar(&f.compare.rounds, "rounds", load.DefaultRounds, "how many turns each target of --compare gets in --for")
	fs.StringVar(&f.out.html, "html", "", "write the report as a page that stands alone to this file")
	fs.StringVar(&f.out.png, "png", "", "write the report's charts to this file")
	fs.BoolVar(&f.pays, "yes-this-costs-money", false, "allow a target on another machine")
	return cmd
}

// plan makes sense of the flags, or reports all their faults at once.
func (f loadFlags) plan(e env) (loadPlan, error) {
	w, errs := f.workload()
	p := loadPlan{workload: w, out: f.out}
	if f.ramp != "" {
		r, err := load.ParseRamp(f.ramp)
		errs = append(errs, wrap("--ramp: %w", err))
		p.ramp = r
		if w.Rate > 0 && r.By == load.ByAgents {
			errs = append(errs, errors.New("--ramp raises the number of agents, so it does not go with a rate: use --ramp rate=1,2,4"))
		}
	}
	errs = append(errs, f.checkTarget("--target", f.target), wrap("the workload: %w", w.Validate()))
	purse := load.NewCounter()
	if f.maxCost != "" {
		most, err := call.ParseUSD(f.maxCost)
		if err != nil || most <= 0 {
			errs = append(errs, fmt.Errorf("--max-cost %q is not an amount of dollars, such as 2.50", f.maxCost))
		}
		purse = load.NewPurse(most)
	}
	p.target = load.Target{
		Purse: purse,
		URL:   f.target, Key: cmp.Or(e.getenv(f.keyEnv), "none"), // a gateway on loopback needs none
		Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true, Proxy: http.ProxyFromEnvironment},
	}
	errs = append(errs, f.compare.plan(e, f, &p))
	return p, errors.Join(errs...)
}

// workload is the file's, with the flags over it.
func (f loadFlags) workload() (load.Workload, []error) {
	w := load.Workload{StreamShare: 0.5, Stagger: time.Second}
	var errs []error
	if f.scenario != "" {
		data, err := os.ReadFile(f.scenario)
		if err == nil {
			w, err = load.Parse(f.scenario, data)
		}
		errs = append(errs, wrap("--scenario: %w", err))
	}
	w.Agents = cmp.Or(f.agents, w.Agents)
	w.Rate = cmp.Or(f.rate, w.Rate)
	w.Duration = cmp.Or(f.total, w.Duration)
	if f.trace != "" {
		errs = append(errs, f.readTrace(&w))
	}
	if w.Duration == 0 && w.Requests == 0 && w.Trace == nil {
		w.Duration = 30 * time.Second
	}
	if f.models != nil {
		w.Models = f.models
	}
	if f.client != "" {
		policy, ok := load.ParsePolicy(f.client)
		if !ok {
			errs = append(errs, fmt.Errorf("--client %q is not known: use none, sdk or python-sdk", f.client))
		}
		w.Client = policy
	}
	return w, errs
}

// readTrace puts the trace into w.
func (f loadFlags) readTrace(w *load.Workload) error {
	if f.agents != 0 || f.rate != 0 || f.ramp != "" || f.writeTrace != "" {
		return errors.New("--trace says who asks when, so it does not go with --agents, --rate, --ramp or --write-trace: use --speed")
	}
	if f.speed <= 0 || f.speed > 1000 {
		return fmt.Errorf("--speed %v is not from above 0 to 1000", f.speed)
	}
	in, err := os.Open(f.trace)
	if err != nil {
		return wrap("--trace: %w", err)
	}
	defer in.Close()
	w.Speed = f.speed
	if w.Trace, err = load.ReadTrace(in); err == nil && f.maxCost != "" {
		err = load.Priceable(w.Trace)
	}
	if err != nil {
		return fmt.Errorf("--trace %s: %w", f.trace, err)
	}
	return nil
}

// writeTrace writes the trace that w stands for.
func writeTrace(name string, w load.Workload) error {
	trace, err := w.Synthesize()
	if err != nil {
		return usageError{wrap("--write-trace: %w", err)}
	}
	return writeFile(name, func(out io.Writer) error { return load.WriteTrace(out, trace) })
}

// writeFile creates a file and reports what kept it from being whole.
func writeFile(name string, write func(io.Writer) error) error {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(out), out.Close())
}

// checkTarget refuses an address that makes no sense, and one that costs money
// unless that was agreed to.
func (f loadFlags) checkTarget(flag, target string) error {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s %q is not an address such as http://127.0.0.1:8787", flag, target)
	}
	if f.pays || onThisMachine(u) {
		return nil
	}
	return hinted{
		fmt.Errorf("%s %s is another machine: every request may cost money", flag, target),
		"add --yes-this-costs-money if that is what you want",
	}
}

func onThisMachine(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// somebodyThere refuses targets on this machine where nobody listens, which
// would fail every request until the end of the run.
func somebodyThere(ctx context.Context, targets ...string) error {
	for _, target := range targets {
		u, err := url.Parse(target)
		if err != nil || u.Port() == "" || !onThisMachine(u) || listens(ctx, u.Host) {
			continue
		}
		return hinted{
			fmt.Errorf("nobody listens at %s", target),
			"start weir serve or weir sim there, or name another --target",
		}
	}
	return nil
}

// wrap is fmt.Errorf, but nil for nil.
func wrap(format string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format, err)
}

// runLoad runs the plan until it or ctx ends, and prints what became of it.
func runLoad(ctx context.Context, e env, p loadPlan) error {
	watch := load.NewWatch(p.target.Transport)
	target := p.target
	target.Transport = watch
	if t, ok := p.target.Transport.(*http.Transport); ok {
		defer t.CloseIdleConnections()
	}
	out := &load.Result{Target: target.URL}
	for i, w := range p.ramp.Steps(p.workload) {
		r, err := runStep(ctx, e, target, w, watch)
		if err != nil && ctx.Err() == nil {
			return err
		}
		step := load.Step{By: cmp.Or(p.ramp.By, load.ByAgents), Value: p.ramp.Value(i, w), Agents: w.Agents, Report: r, Limits: watch.Take()}
		more := out.Add(step)
		if ctx.Err() != nil || target.Purse.Empty() {
			out.Interrupt()
			break // what there is is printed
		}
		if !more {
			break
		}
	}
	out.Cost = target.Purse.Spending()
	out.Finish(p.ramp, watch.Limits())
	if err := p.out.write(e.stdout, loadPage(out), out); err != nil {
		return err
	}
	return judgeLoad(out)
}

// outputs are the forms in which a result is wanted.
type outputs struct {
	asJSON    bool
	html, png string // names of files, or ""
}

// write prints the result and writes the files.
func (o outputs) write(w io.Writer, page load.Page, result any) error {
	var errs []error
	if o.html != "" {
		errs = append(errs, wrap("--html: %w", writeFile(o.html, page.WriteHTML)))
	}
	if o.png != "" {
		errs = append(errs, wrap("--png: %w", writeFile(o.png, func(f io.Writer) error { return load.WritePNG(f, page.Charts) })))
	}
	if o.asJSON {
		errs = append(errs, printJSON(w, result))
	} else {
		errs = append(errs, printPage(w, page))
	}
	return errors.Join(errs...)
}

// runStep offers w to the target, with a line about it every few seconds.
func runStep(ctx context.Context, e env, target load.Target, w load.Workload, watch *load.Watch) (load.Report, error) {
	rec, began := load.NewRecorder(0), time.Now()
	done := make(chan error, 1)
	go func() { done <- load.Run(ctx, target, w, rec) }()
	line := newLiveLine(e.stderr)
	defer line.end()
	tick := time.NewTicker(line.every)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return rec.Report(began, time.Now().Add(time.Nanosecond), nil), err
		case <-tick.C:
			line.show(w, rec.Report(began, time.Now(), nil), rec.InFlight(), watch)
		}
	}
}

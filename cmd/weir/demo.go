package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/sim"
)

// The demo's customer, on each side.
const (
	demoModel  = "claude-sonnet-5"
	demoFill   = 0.10 // of the buckets, at the start
	demoAgents = 12
	demoWarmUp = 10 * time.Second
	demoSeed   = 1
	demoKey    = "sk-ant-api03-demo"
)

// demoOptions are the flags of weir demo.
type demoOptions struct {
	total     time.Duration // 0: until it is interrupted
	noBrowser bool
	overload  float64
}

func demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See Weir at work: the same agents with it and without it",
		Long: `Runs two identical simulators of the Anthropic API on this machine, one behind
Weir and one without, and several agents on each side that ask for more than the
quota allows. Needs no key and no network. Prints the address of the dashboard
and a live table; Ctrl-C or --for ends it with the comparison.

The exit status is 0 only if Weir let no 429 through.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return usageError{err}
			}
			return runDemo(cmd.Context(), o, loopback{}, newTable(cmd.OutOrStdout()))
		},
	}
	f := cmd.Flags()
	f.DurationVar(&o.total, "for", 0, "stop after this time, such as 30s (default: until Ctrl-C)")
	f.BoolVar(&o.noBrowser, "no-browser", false, "do not open the dashboard in a browser")
	f.Float64Var(&o.overload, "overload", 3, "how many times the quota the agents ask for")
	return cmd
}

func (o demoOptions) check() error {
	var errs []error
	if o.total < 0 {
		errs = append(errs, fmt.Errorf("--for %v is negative: give a time such as 30s", o.total))
	}
	if !(o.overload > 0 && o.overload <= 100) {
		errs = append(errs, fmt.Errorf("--overload %v is out of range: use more than 0 and at most 100", o.overload))
	}
	return errors.Join(errs...)
}

// warmUp is how long the demo runs before it measures: the buckets have to
// leave their start level, and Weir has to meet an unknown organization.
func (o demoOptions) warmUp() time.Duration {
	if o.total > 0 {
		return min(demoWarmUp, o.total/3)
	}
	return demoWarmUp
}

// demoLimits are those of a small customer, so that twelve agents are enough
// to exceed them.
func demoLimits() sim.Limits {
	return sim.Limits{Requests: 600, InputTokens: 600_000, OutputTokens: 120_000}
}

// workload is what is asked for on each side.
func (o demoOptions) workload() load.Workload {
	w := load.Workload{
		Seed:        demoSeed,
		Agents:      int(demoAgents * max(1, o.overload/3)), // so that each has time to be answered
		Input:       load.Uniform(2000, 14000),
		Output:      load.Uniform(60, 240),
		StreamShare: 0.5,
		Models:      []string{demoModel},
		Tenants:     []load.Tenant{{Name: "amber"}, {Name: "birch"}, {Name: "cedar"}, {Name: "dune"}},
		Client:      load.SDK(),
	}
	w.Pace = w.PaceFor(o.overload, float64(demoLimits().InputTokens))
	w.Stagger = w.Pace
	return w
}

// runDemo runs both sides beside each other until ctx or the time ends, and
// then says how they compare.
func runDemo(ctx context.Context, o demoOptions, net network, t *table) error {
	d, err := openDemo(net)
	if err != nil {
		return err
	}
	defer d.close()
	if o.total > 0 {
		timed, cancel := context.WithTimeout(ctx, o.total)
		defer cancel()
		ctx = timed
	}
	t.head(o, d)
	if t.live && !o.noBrowser {
		openBrowser(ctx, d.dashboard)
	}
	d.offer(ctx, o.workload())
	d.watch(ctx, o.warmUp(), t)
	d.wait()
	return t.verdict(d)
}

// watch shows the table until ctx ends. When the warm-up is over it has both
// sides begin to count anew.
func (d *demo) watch(ctx context.Context, warmUp time.Duration, t *table) {
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	warm := time.NewTimer(warmUp)
	defer warm.Stop()
	for {
		select {
		case <-warm.C:
			d.startMeasuring()
		case <-tick.C:
			t.update(d)
		case <-ctx.Done():
			d.stopMeasuring()
			return
		}
	}
}

// openBrowser shows the dashboard, where there is a desktop to show it on. It
// is a courtesy: the address is on the screen as well.
func openBrowser(ctx context.Context, url string) {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "cmd", []string{"/c", "start", "", url}
	default:
		if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
			return // xdg-open would put a text browser over the table
		}
	}
	cmd := exec.CommandContext(ctx, name, args...)
	if cmd.Start() == nil {
		go cmd.Wait() // it ends when the browser has the address, or with ctx
	}
}

// isTerminal reports whether w is one that a table can be redrawn on: a
// character device that is not the null one.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/weir-gateway/weir/sim"
)

// drainTime is how long running answers may go on after the command is told to
// stop.
const drainTime = 2 * time.Second

// simFlags are the flags of weir sim.
type simFlags struct {
	listen, tier, scenario string
	speed                  float64
	seed                   uint64
}

// simCommand is weir sim: the simulated API alone.
func simCommand() *cobra.Command {
	var f simFlags
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Run the simulated Anthropic API",
		Long: "Run a stand-in for the Anthropic API with real token buckets, for tests and demonstrations.\n\n" +
			"Tiers: " + strings.Join(sim.Tiers(), ", ") + "\n" +
			"Scenarios: " + strings.Join(sim.Scenarios(), ", "),
		Example: "  weir sim --tier tier1-2025\n  weir sim --scenario outage --seed 7\n" +
			"  ANTHROPIC_BASE_URL=http://127.0.0.1:8089 ANTHROPIC_API_KEY=sk-ant-any claude",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSim(cmd, f) },
	}
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8089", "address to listen on")
	cmd.Flags().StringVar(&f.tier, "tier", "", `usage tier (default: the scenario's, else "start")`)
	cmd.Flags().StringVar(&f.scenario, "scenario", "", "file, or name of a built-in scenario")
	cmd.Flags().Float64Var(&f.speed, "speed", 0, "how many times faster than the world's the clock runs (default: the scenario's, else 1)")
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "seed of everything random")
	return cmd
}

// runSim serves until the command's context ends.
func runSim(cmd *cobra.Command, f simFlags) error {
	config := sim.Config{Tier: f.tier, Speed: f.speed, Seed: f.seed}
	if f.scenario != "" {
		scenario, err := sim.LoadScenario(f.scenario)
		if err != nil {
			return usageError{fmt.Errorf("read the scenario: %w", err)}
		}
		config.Scenario = scenario
	}
	handler, err := sim.New(config)
	if err != nil {
		return usageError{err}
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return hinted{err, "choose another address with --listen, or stop what uses this one"}
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintf(cmd.ErrOrStderr(), "weir sim: the simulated API is at http://%s\n", listener.Addr())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve the simulated API: %w", err)
	case <-cmd.Context().Done():
	}
	return stopSim(server, served)
}

// stopSim lets running answers end for a while and then breaks them off.
func stopSim(server *http.Server, served <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close() // the listener is closed already
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the simulated API: %w", err)
	}
	return nil
}

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/load"
	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/sim"
)

// keyAlone is an environment with a key in it.
func keyAlone(name string) string {
	if name == "ANTHROPIC_API_KEY" {
		return "sk-ant-any"
	}
	return ""
}

// weirLoad runs the command line and returns what it printed.
func weirLoad(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, talk strings.Builder
	e := env{strings.NewReader(""), &out, &talk, keyAlone}
	return run(t.Context(), e, append([]string{"load"}, args...)), out.String(), talk.String()
}

func TestLoadAgainstTheSimulator(t *testing.T) {
	url, stop := startSim(t, "--tier", "tier1-2025", "--speed", "20")
	defer stop()
	file := filepath.Join(t.TempDir(), "w.yaml")
	if err := os.WriteFile(file, []byte("agents: 2\nrequests: 6\ninput: {min: 50, max: 100}\noutput: {min: 5, max: 5}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, talk := weirLoad(t, "--target", url, "--scenario", file, "--json")
	if code != exitOK {
		t.Fatalf("ended with %d: %s", code, talk)
	}
	var r load.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(r.Steps) != 1 || r.Steps[0].Report.OK != 6 || len(r.Limits) != 3 || r.Limits[0].Lowest >= r.Limits[0].Limit {
		t.Errorf("6 requests gave %+v", r)
	}
}

func TestLoadReplaysATrace(t *testing.T) {
	url, stop := startSim(t, "--tier", "start", "--speed", "20")
	defer stop()
	file := filepath.Join(t.TempDir(), "trace.jsonl")
	if code, _, talk := weirLoad(t, "--rate", "10", "--for", "2s", "--write-trace", file); code != exitOK {
		t.Fatal(talk)
	}
	lines, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	code, out, talk := weirLoad(t, "--target", url, "--trace", file, "--speed", "20", "--client", "none", "--json", "--max-cost", "100")
	var r load.Result
	if err := json.Unmarshal([]byte(out), &r); code != exitOK || err != nil {
		t.Fatalf("ended with %d, %v: %s", code, err, talk)
	}
	if want := strings.Count(string(lines), "\n"); want == 0 || r.Steps[0].Report.Asked != want || r.Cost.Spent == 0 {
		t.Errorf("%d lines, %d asked, cost %v", want, r.Steps[0].Report.Asked, r.Cost)
	}
}

func TestLoadComparesAndWritesReports(t *testing.T) {
	slow, stopSlow := startSim(t, "--tier", "start")
	defer stopSlow()
	quick, stopQuick := startSim(t, "--tier", "start")
	defer stopQuick()
	dir := t.TempDir()
	page, picture := filepath.Join(dir, "r.html"), filepath.Join(dir, "r.png")
	code, out, talk := weirLoad(t, "--target", slow, "--compare", quick, "--rounds", "2", "--for", "400ms", "--rate", "20", "--client", "none",
		"--json", "--html", page, "--png", picture)
	var c load.Comparison
	if err := json.Unmarshal([]byte(out), &c); code != exitOK || err != nil {
		t.Fatalf("ended with %d, %v: %s", code, err, talk)
	}
	if len(c.Rounds) != 2 || c.Rounds[0].First == c.Rounds[1].First || !c.Answered() || len(c.Ratios) != 6 {
		t.Errorf("compared %+v", c)
	}
	for _, name := range []string{page, picture} {
		if info, err := os.Stat(name); err != nil || info.Size() < 1000 {
			t.Errorf("%s was not written: %v", name, err)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("agent: 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"another-machine": {[]string{"--target", "https://api.anthropic.com"}, exitUsage, "--yes-this-costs-money"},
		"no-address":      {[]string{"--target", "weir"}, exitUsage, "not an address"},
		"falling-ramp":    {[]string{"--ramp", "4,2"}, exitUsage, "rising list"},
		"ramp-and-rate":   {[]string{"--ramp", "1,2", "--rate", "3"}, exitUsage, "does not go with"},
		"unknown-client":  {[]string{"--client", "curl"}, exitUsage, "none, sdk or python-sdk"},
		"no-file":         {[]string{"--scenario", bad + "x"}, exitUsage, "no such file"},
		"unknown-key":     {[]string{"--scenario", bad}, exitUsage, "agent"},
		"negative":        {[]string{"--for", "-1s"}, exitUsage, "negative"},
		"no-money":        {[]string{"--max-cost", "much"}, exitUsage, "such as 2.50"},
		"too-little":      {[]string{"--target", simulated(t, sim.Config{}), "--max-cost", "0.0001", "--for", "1s"}, exitFailed, "a cheaper --model"},
		"trace-and-ramp":  {[]string{"--trace", bad, "--ramp", "1,2"}, exitUsage, "use --speed"},
		"bad-trace":       {[]string{"--trace", bad}, exitUsage, "line 1"},
		"no-rate":         {[]string{"--write-trace", bad + "2"}, exitUsage, "needs a rate"},
		"compare-far":     {[]string{"--compare", "https://api.anthropic.com"}, exitUsage, "--compare https://api.anthropic.com is another machine"},
		"compare-ramp":    {[]string{"--compare", "http://127.0.0.1:1", "--ramp", "1,2"}, exitUsage, "does not go with --ramp"},
		"one-round":       {[]string{"--compare", "http://127.0.0.1:1", "--rounds", "1"}, exitUsage, "from 2 to 100"},
		"nobody-there":    {[]string{"--target", "http://127.0.0.1:1", "--for", "1m"}, exitFailed, "nobody listens at http://127.0.0.1:1"},
		"nobody-beside":   {[]string{"--target", simulated(t, sim.Config{}), "--compare", "http://127.0.0.1:1"}, exitFailed, "nobody listens at http://127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, talk := weirLoad(t, tt.args...)
			if code != tt.code || !strings.Contains(talk, tt.want) {
				t.Errorf("ended with %d, want %d and %q, and said\n%s%s", code, tt.code, tt.want, out, talk)
			}
		})
	}
}

// inMemory is a simulator for a bubble.
func inMemory(t *testing.T, cfg sim.Config) load.Target {
	t.Helper()
	api, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := memnet.Listen()
	srv := &http.Server{Handler: api}
	go srv.Serve(l)
	transport := l.Transport()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
	})
	return load.Target{URL: "http://api", Key: "sk-ant-any", Transport: transport}
}

func TestLoadFindsTheKnee(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fill := 0.05
		target := inMemory(t, sim.Config{
			Limits: sim.Limits{Requests: 300, InputTokens: 1_000_000, OutputTokens: 1_000_000}, StartFill: &fill,
			Timing: sim.Timing{TTFT: time.Second},
		})
		ramp, err := load.ParseRamp("1,2,4,8,16x30s")
		if err != nil {
			t.Fatal(err)
		}
		var out, talk strings.Builder
		p := loadPlan{target: target, ramp: ramp, workload: load.Workload{Input: load.Fixed(100), Output: load.Fixed(10)}}
		if err := runLoad(t.Context(), env{stdout: &out, stderr: &talk}, p); err != nil {
			t.Fatal(err)
		}
		t.Logf("\n%s%s", talk.String(), out.String())
		// Each agent asks once a second. Five refill in a second, and what the
		// first steps have left over feeds the eight for a while.
		for _, want := range []string{"The knee is at 8 agents: beyond it 429s appeared", "requests: 300 per minute", "allow 5.0 such requests a second, by requests"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("it does not say %q", want)
			}
		}
		if !strings.Contains(talk.String(), "4 agents, ") || !strings.Contains(talk.String(), "lowest left: requests ") {
			t.Errorf("the live line lacks something")
		}
	})
}

// The quota of the simulator is known, so the knee is: the last rate below it.
// One step of tolerance: arrivals are Poisson's, and slower steps save up to a
// minute of the quota, which is little beside five.
func TestLoadFindsTheKneeOfAKnownQuota(t *testing.T) {
	for name, tt := range map[string]struct {
		limits sim.Limits
		ramp   string
		low    int
		high   int
	}{
		"requests":   {sim.Limits{Requests: 300, InputTokens: 9e6, OutputTokens: 9e6}, "rate=3,4,5,6,7x5m", 4, 6},
		"size":       {sim.Limits{Requests: 9e6, InputTokens: 120_000, OutputTokens: 9e6}, "input=500,750,1000,1250,1500x5m", 750, 1250},
		"max_tokens": {sim.Limits{Requests: 9e6, InputTokens: 9e6, OutputTokens: 60_000}, "max_tokens=250,375,500,625,750x5m", 375, 625},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fill := 0.02
				target := inMemory(t, sim.Config{Limits: tt.limits, StartFill: &fill, Timing: sim.Timing{TTFT: 100 * time.Millisecond}})
				ramp, err := load.ParseRamp(tt.ramp)
				if err != nil {
					t.Fatal(err)
				}
				w := load.Workload{Rate: 2, Input: load.Fixed(100), Output: load.Fixed(10), Client: load.None()}
				var out, talk strings.Builder
				p := loadPlan{target: target, ramp: ramp, workload: w, out: outputs{asJSON: true}}
				if err := runLoad(t.Context(), env{stdout: &out, stderr: &talk}, p); err != nil {
					t.Fatal(err)
				}
				var r load.Result
				if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
					t.Fatal(err)
				}
				if r.Knee == nil || *r.Knee < tt.low || *r.Knee > tt.high || len(r.Steps[0].Limits) != 3 {
					t.Errorf("stopped after %d steps: %q, knee %v, want %d to %d", len(r.Steps), r.Stopped, r.Knee, tt.low, tt.high)
				} else {
					t.Logf("knee %d: %s; for long %.1f a second by %s", *r.Knee, r.Stopped, r.Sustained, r.BoundBy)
				}
			})
		})
	}
}

func TestLoadByAConfiguration(t *testing.T) {
	url, stop := startSim(t, "--tier", "start")
	defer stop()
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	write("mix.yaml", "input: {min: 20, max: 40}\nmax_tokens: 50\nmodels: [claude-haiku-4-5]\nthink: 20ms\n")
	file := write("weir.yaml", "listen: "+strings.TrimPrefix(url, "http://")+"\nload: {scenario: mix.yaml, ramp: '1,2x200ms', max_cost: 0.50}\n")
	for name, tt := range map[string]struct {
		args  []string
		steps int
		most  string
	}{
		"file":         {nil, 2, "0.50"},
		"flags-before": {[]string{"--agents", "1", "--for", "100ms", "--max-cost", "0.25"}, 1, "0.25"},
		"profile":      {[]string{"--profile", "staging"}, 2, "0.50"}, // of which the file overrides both
	} {
		code, out, talk := weirLoad(t, append([]string{"--config", file, "--json"}, tt.args...)...)
		var r load.Result
		if err := json.Unmarshal([]byte(out), &r); code != exitOK || err != nil {
			t.Fatalf("%s: ended with %d, %v: %s", name, code, err, talk)
		}
		if r.Target != url || len(r.Steps) != tt.steps || r.Cost.Max.String() != tt.most || r.Steps[0].Report.OK == 0 {
			t.Errorf("%s: %s, %d steps, at most %s", name, r.Target, len(r.Steps), r.Cost.Max)
		}
	}
	for name, text := range map[string]string{"far": "listen: 0.0.0.0:1\n", "none": ""} {
		f := loadFlags{config: write(name+".yaml", text), profile: "staging"}
		if err := f.configured(env{getenv: noEnvironment}); err != nil || f.ramp != "1,2,4,8,16x1m" || f.maxCost != "5.00" {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
		if want := map[string]string{"far": "http://127.0.0.1:1", "none": localGateway}[name]; f.target != want {
			t.Errorf("%s: the target is %s, want %s", name, f.target, want)
		}
	}
	var out, talk strings.Builder
	bad := write("bad.yaml", "load: {ramp: '4,2'}\n")
	if code := run(t.Context(), env{nil, &out, &talk, noEnvironment}, []string{"check", "--config", bad}); code != exitFailed || !strings.Contains(talk.String(), "load.ramp") {
		t.Errorf("weir check ended with %d: %s", code, talk.String())
	}
	if code := run(t.Context(), env{nil, &out, &talk, noEnvironment}, []string{"check", "--profile", "staging"}); code != exitOK || !strings.Contains(out.String(), "ramp: 1,2,4,8,16x1m # profile") {
		t.Errorf("weir check ended with %d: %s%s", code, out.String(), talk.String())
	}
}

package weir_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// serveSimulator is set for a child process of the tests, which serves the
// simulator until its standard input ends.
const serveSimulator = "WEIR_TEST_SERVE_SIMULATOR"

func TestMain(m *testing.M) {
	if os.Getenv(serveSimulator) == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	api, err := sim.New(sim.Config{Tier: "scale", Seed: 1, Timing: sim.Timing{TTFT: 20 * time.Millisecond, TokensPerSecond: 2000}})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go http.Serve(l, api)
	fmt.Println("http://" + l.Addr().String())
	bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}

// process is a simulator in a process of its own, which can be stopped.
type process struct {
	url    string
	signal func(syscall.Signal)
}

func startProcess(t *testing.T) *process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), serveSimulator+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{signal: func(s syscall.Signal) {
		if err := cmd.Process.Signal(s); err != nil {
			t.Errorf("signal: %v", err)
		}
	}}
	t.Cleanup(func() {
		p.signal(syscall.SIGCONT)
		in.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "http://") {
		t.Fatalf("the simulator says %q, %v", line, err)
	}
	p.url = strings.TrimSpace(line)
	return p
}

// TestStoppedUpstream stops one of two upstreams (SIGSTOP): its connections
// stand open and say nothing. Calls are sent to the other one; and those come
// back to it that belong there when it goes on.
func TestStoppedUpstream(t *testing.T) {
	a, b := startProcess(t), startProcess(t)
	g, err := weir.New(
		weir.WithUpstream(a.url), weir.WithPatience(weir.Patience{Begin: 500 * time.Millisecond, Silence: 500 * time.Millisecond, Whole: 500 * time.Millisecond}),
		weir.WithBreaker(weir.Breaker{Rules: []byte(`[{"resource":"*","strategy":2,"threshold":4,"minRequestAmount":4,"statIntervalMs":10000,"retryTimeoutMs":1000,"probeTimeoutMs":1000}]`)}),
		weir.WithAPIKeys(weir.APIKey{Name: "a", Secret: "sk-ant-a"}, weir.APIKey{Name: "b", Secret: "sk-ant-b", Upstream: b.url}),
	)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(g.Handler())
	t.Cleanup(func() { front.Close(); g.Close() })
	round := func() (slowest time.Duration, again int) {
		var all sync.WaitGroup
		var mu sync.Mutex
		for i := range 40 {
			all.Go(func() {
				began := time.Now()
				body := strings.Replace([]string{request, streamed}[i%2], `"max_tokens":10`, `"max_tokens":30`, 1)
				resp, text := post(t, front.URL+"/v1/messages", body, "Anthropic-Version", "2023-06-01", "X-Claude-Code-Session-Id", fmt.Sprint(i))
				mu.Lock()
				defer mu.Unlock()
				slowest = max(slowest, time.Since(began))
				if resp.Header.Get("Weir-Attempts") != "1" {
					again++
				}
				if resp.StatusCode != http.StatusOK || !strings.Contains(text, "output_tokens") || strings.Contains(text, "event: error") {
					t.Errorf("call %d: %s %s", i, resp.Status, text)
				}
			})
		}
		all.Wait()
		return slowest, again
	}
	round()
	a.signal(syscall.SIGSTOP)
	slowest, again := round()
	t.Logf("while stopped: %d of 40 calls were sent again, the slowest took %v", again, slowest)
	if again == 0 {
		t.Error("no call met the stopped upstream")
	}
	if _, again := round(); again > 2 {
		t.Errorf("with an open breaker %d calls met the stopped upstream, want its probes alone", again)
	}
	for _, s := range g.Protection().Breakers {
		t.Logf("breaker %s: %s by %s", s.Scope, s.State, s.Rule)
		if !strings.HasPrefix("http://"+s.Scope, a.url) {
			t.Errorf("the breaker of %s has opened", s.Scope)
		}
	}
	a.signal(syscall.SIGCONT)
	for deadline := time.Now().Add(20 * time.Second); g.Protection().Breakers[0].State != "closed"; {
		if time.Now().After(deadline) {
			t.Fatal("the breaker does not close again")
		}
		round()
	}
}

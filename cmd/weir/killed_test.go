package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/ledger"
	"github.com/weir-gateway/weir/sim"
)

// killRounds is how many rounds TestBudgetOutlivesKills plays; make
// prove-budgets plays 50.
const killRounds = "WEIR_KILL_ROUNDS"

const (
	crowd    = 1000 // concurrent requests of a round
	oneDay   = "alerts: {budget: 0}\nbudgets: [{name: all, limit: 1, period: month}]\n"
	oneKilos = `{"model":"` + tillModel + `","max_tokens":100,"stream":%t,"messages":[{"role":"user","content":"Tell me about the weirs of the river %d, please, and of the people who keep them."}]}`
)

// round is one dollar, which a thousand requests want to spend twice over while
// their gateway is killed again and again.
type round struct {
	t    *testing.T
	till *till
	data string
	api  string

	mu      sync.Mutex
	at      string        // address of the gateway; guarded by mu
	reborn  chan struct{} // closed when there is another one; guarded by mu
	whole   []string      // weir-request-id of the answers that came whole; guarded by mu
	refused int           // guarded by mu
}

func (r *round) gateway() (at string, reborn chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at, r.reborn
}

// life starts a gateway on the data of the ones before it.
func (r *round) life(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], "serve", "--config", filepath.Join(r.data, "weir.yaml"), "--data", r.data,
		"--listen", "127.0.0.1:0", "--admin", "off", "--upstream", r.api)
	cmd.Env = append(os.Environ(), asCommand+"=1", "ANTHROPIC_API_KEY=sk-ant-api03-pool")
	out, err := cmd.StderrPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "weir: data plane "); ok {
			r.mu.Lock()
			close(r.reborn)
			r.at, r.reborn = at, make(chan struct{})
			r.mu.Unlock()
			go func() {
				for lines.Scan() {
					if line := lines.Text(); !strings.HasPrefix(line, "weir: ") {
						r.t.Log(line)
					}
				}
			}()
			return cmd
		}
		r.t.Log(lines.Text())
	}
	r.t.Fatal("it does not serve")
	return nil
}

// ask sends one request again and again, over the deaths of gateways, until
// there is an answer or the budget is spent.
func (r *round) ask(ctx context.Context, client *http.Client, n int) {
	leaves := n%20 == 7 // in the middle of its answer
	for ctx.Err() == nil {
		at, reborn := r.gateway()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, at+"/v1/messages", strings.NewReader(fmt.Sprintf(oneKilos, n%3 != 0, n)))
		if err != nil {
			r.t.Error(err)
			return
		}
		req.Header.Set("Anthropic-Version", "2023-06-01")
		req.Header.Set("X-Sim-Output-Tokens", strconv.Itoa(60+n%40))
		resp, err := client.Do(req)
		if err == nil {
			if leaves && resp.StatusCode == http.StatusOK {
				_, _ = io.CopyN(io.Discard, resp.Body, 1500)
				resp.Body.Close()
				return
			}
			var body []byte
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil && r.ended(resp, string(body)) {
				return
			}
		}
		select {
		case <-reborn:
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ended takes note of an answer, and reports whether it is the last one.
func (r *round) ended(resp *http.Response, body string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case resp.StatusCode == http.StatusOK && !strings.Contains(body, `"type":"error"`):
		r.whole = append(r.whole, resp.Header.Get("Weir-Request-Id"))
		return true
	case resp.StatusCode == http.StatusTooManyRequests && resp.Header.Get("X-Should-Retry") == "false":
		r.refused++
		return true
	case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= 500:
		return false
	}
	r.t.Errorf("status %d: %s", resp.StatusCode, body)
	return true
}

// play lets the crowd in, and kills a few gateways.
func (r *round) play(ctx context.Context, kills int) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := r.life(ctx)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: crowd}}
	defer client.CloseIdleConnections()
	var asking sync.WaitGroup
	for n := range crowd {
		asking.Go(func() { r.ask(ctx, client, n) })
	}
	for range kills {
		time.Sleep(rand.N(600 * time.Millisecond))
		if err := cmd.Process.Kill(); err != nil {
			r.t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		cmd = r.life(ctx)
	}
	asking.Wait()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		r.t.Errorf("its end: %v", err)
	}
	if ctx.Err() != nil {
		r.t.Error("the crowd has not come to an end in time")
	}
}

// booked is what the ledger has: how often each call, and what all cost.
func (r *round) booked() (calls map[string]int, cost call.USD) {
	book, err := ledger.Read(filepath.Join(r.data, ledgerFolder))
	if err != nil {
		r.t.Fatal(err)
	}
	defer book.Close()
	calls = map[string]int{}
	err = book.Each(r.t.Context(), ledger.Span{}, func(row ledger.Row) error {
		if row.Final {
			calls[row.Call]++
		}
		cost += row.Cost
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return calls, cost
}

// leased is what the budget counts as spent.
func (r *round) leased() (total call.USD) {
	l, err := ledger.OpenLeases(filepath.Join(r.data, budgetsFolder))
	if err != nil {
		r.t.Fatal(err)
	}
	defer l.Close()
	purses, err := l.Purses(r.t.Context(), time.Now())
	if err != nil || len(purses) != 1 {
		r.t.Fatal(purses, err)
	}
	for _, total = range purses {
	}
	return total
}

// TestBudgetOutlivesKills: a thousand concurrent requests against a budget of
// one dollar, whose gateway is killed at random instants and started anew. The
// API, by its own account, never bills more than the dollar, not even if it
// billed all that it might of answers that broke off; and every call of which
// a client has the whole answer is booked, once.
func TestBudgetOutlivesKills(t *testing.T) {
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv(killRounds)); err == nil {
		rounds = n
	}
	var least, usable, stranded float64 = 1, 0, 0
	killed := 0
	for i := range rounds {
		server, err := sim.New(sim.Config{
			Seed: uint64(i) + 1, Limits: sim.Limits{Requests: 1e6, InputTokens: 1e9, OutputTokens: 1e9},
			Timing: sim.Timing{TTFT: 30 * time.Millisecond, TokensPerSecond: 400},
		})
		if err != nil {
			t.Fatal(err)
		}
		r := &round{t: t, till: &till{api: server}, data: t.TempDir(), reborn: make(chan struct{})}
		if err := os.WriteFile(filepath.Join(r.data, "weir.yaml"), []byte(oneDay), 0o600); err != nil {
			t.Fatal(err)
		}
		api := httptest.NewServer(r.till)
		r.api = api.URL
		kills := rand.IntN(4)
		r.play(t.Context(), kills)
		api.Close() // no request is under way any more
		killed += kills

		calls, booked := r.booked()
		leased := r.leased()
		l := r.till
		if l.billed > tillDollar || l.worst > tillDollar || booked > call.Dollar || leased > call.Dollar {
			t.Errorf("round %d: overspent: billed %s, at most %s; booked %s, leased %s", i, call.USD(l.billed), call.USD(l.worst), booked, leased)
		}
		if call.USD(l.worst) > leased {
			t.Errorf("round %d: the API may bill %s, and the budget counts %s", i, call.USD(l.worst), leased)
		}
		for _, id := range r.whole {
			if calls[id] != 1 {
				t.Errorf("round %d: call %s, which a client has whole, is booked %d times", i, id, calls[id])
			}
		}
		share, lost := float64(l.billed)/tillDollar, float64(leased-call.USD(l.billed))/tillDollar
		least, usable, stranded = min(least, share), usable+share, stranded+lost
		t.Logf("round %d: %d kills; the API billed %s (at most %s) for %d calls, %d broke off; %d whole and booked, %d refused; booked %s, leased %s",
			i, kills, call.USD(l.billed), call.USD(l.worst), l.calls, l.broken, len(r.whole), r.refused, booked, leased)
	}
	n := float64(rounds)
	t.Logf("%d rounds, %d kills: never overspent, nothing booked is lost; of the dollar %.1f %% were billed on average, %.1f %% at least; %.1f %% count as spent and were not billed",
		rounds, killed, 100*usable/n, 100*least, 100*stranded/n)
}

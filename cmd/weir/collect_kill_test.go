package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patient is a caller that can wait for hours, and comes again with the same
// request when the gateway goes away.
type patient struct {
	url    string
	number int
	stream bool
}

func (p patient) body() string {
	return fmt.Sprintf(`{"model":"claude-haiku-4-5","max_tokens":64,"stream":%t,"messages":[{"role":"user","content":"Sum up document %d"}]}`, p.stream, p.number)
}

// ask returns the answer, and how often it had to come again.
func (p patient) ask(ctx context.Context) (text string, again int, err error) {
	for ; ; again++ {
		text, err := p.try(ctx)
		if err == nil || ctx.Err() != nil {
			return text, again, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(100*time.Millisecond + rand.N(200*time.Millisecond)):
		}
	}
}

func (p patient) try(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/v1/messages", strings.NewReader(p.body()))
	if err != nil {
		return "", err
	}
	for name, value := range map[string]string{
		"X-Api-Key": "token-of-a-test", "Anthropic-Version": "2023-06-01", "Weir-Class": "batch", "Weir-Max-Wait": "2h",
	} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	text := string(raw)
	if resp.StatusCode != http.StatusOK || p.stream && !strings.Contains(text, "event: message_stop") || !strings.Contains(text, `"service_tier":"batch"`) {
		return "", fmt.Errorf("%d %s", resp.StatusCode, text)
	}
	return text, nil
}

// TestCollectKilled kills weir serve at random instants while callers wait for
// batches. The same callers come again: each gets its answer, and each request
// is billed once, by the API and by the ledger. The whole form is make
// prove-batch.
func TestCollectKilled(t *testing.T) {
	n, kills := howMany("WEIR_KILL_CALLERS", 100), howMany("WEIR_KILLS", 5)
	api := spawnSim(t, "timing: {batch: 1s}")
	place, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, data := place.Addr().String(), t.TempDir()
	place.Close()
	file := filepath.Join(data, "weir.yaml")
	config := "keys: [{name: main, key: 'env:ANTHROPIC_API_KEY'}]\nclients: [{name: team, token: 'env:WEIR_TOKEN'}]\n" +
		"queue: {batches: {collect: true, every: 200ms, max: 50}}\n"
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	serve := func() *process {
		p := spawn(t, "serve", "--config", file, "--listen", address, "--admin", "off", "--upstream", api, "--data", data)
		p.says(t, "data plane ")
		return p
	}
	gateway := serve()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var (
		wg       sync.WaitGroup
		mu       sync.Mutex // guards the rest
		repeats  int
		failures []error
		ids      = map[string]bool{}
	)
	for i := range n {
		wg.Go(func() {
			text, again, err := patient{url: "http://" + address, number: i, stream: i%2 == 0}.ask(ctx)
			mu.Lock()
			defer mu.Unlock()
			repeats += again
			_, rest, _ := strings.Cut(text, `"id":"msg_`)
			id, _, _ := strings.Cut(rest, `"`)
			if err != nil || ids[id] {
				failures = append(failures, errors.Join(err, fmt.Errorf("caller %d has the answer %q, another has it too: %t", i, id, ids[id])))
			}
			ids[id] = true
		})
	}
	for range kills {
		time.Sleep(rand.N(600 * time.Millisecond)) // the instant is what the test is about
		gateway.kill()
		gateway = serve()
	}
	wg.Wait()
	for _, err := range failures {
		t.Error(err)
	}
	gateway.kill()
	st := simStats(t, api)
	if st.Batches.Succeeded != int64(n) || st.Batches.Requests != int64(n) || st.Limited["batches"] != 0 {
		t.Errorf("the API has billed %+v, want %d", st.Batches, n)
	}
	booked := usageOfFolder(t, data)
	if booked.Requests != int64(n) || booked.Input != st.Batches.InputTokens || booked.Output != st.Batches.OutputTokens {
		t.Errorf("the ledger has %+v, the API %+v", booked, st.Batches)
	}
	t.Logf("%d callers, %d kills: they came again %d times, and got their answers from %d batches; billed %d, booked %d, %s USD",
		n, kills, repeats, st.Batches.Batches, st.Batches.Succeeded, booked.Requests, booked.Cost)
}

type usageTotal struct {
	Requests int64  `json:"requests"`
	Input    int64  `json:"input_tokens"`
	Output   int64  `json:"output_tokens"`
	Cost     string `json:"cost_usd"`
}

// usageOfFolder is what weir usage says.
func usageOfFolder(t *testing.T, data string) usageTotal {
	t.Helper()
	var out, talk strings.Builder
	if code := run(t.Context(), env{nil, &out, &talk, noEnvironment}, []string{"usage", "--data", data, "--json"}); code != exitOK {
		t.Fatal(talk.String())
	}
	var report struct{ Total usageTotal }
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil {
		t.Fatal(err)
	}
	return report.Total
}

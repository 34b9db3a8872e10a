package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/weir-gateway/weir/sim"
)

// howMany is a number of the environment, for the long form of a test.
func howMany(name string, standard int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return standard
}

// requestFile writes n requests, each with its custom_id in its text.
func requestFile(t *testing.T, n int) string {
	t.Helper()
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"custom_id":"doc-%d","params":{"model":"claude-haiku-4-5","max_tokens":64,"messages":[{"role":"user","content":"Sum up document %d"}]}}`+"\n", i, i)
	}
	name := filepath.Join(t.TempDir(), "requests.jsonl")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// spawnSim starts a simulator with ample quota.
func spawnSim(t *testing.T, scenario string) (url string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "scenario.yaml")
	if err := os.WriteFile(file, []byte(scenario), 0o600); err != nil {
		t.Fatal(err)
	}
	return spawn(t, "sim", "--listen", "127.0.0.1:0", "--tier", "custom", "--scenario", file).says(t, " is at ")
}

func simStats(t *testing.T, url string) (st sim.Stats) {
	t.Helper()
	resp, err := http.Get(url + "/sim/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
		t.Fatal(err)
	}
	return st
}

// onceEach checks that a file has each of n results exactly once.
func onceEach(t *testing.T, file string, n int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range bytes.Lines(data) {
		var r struct {
			ID     string `json:"custom_id"`
			Result struct{ Type string }
		}
		if err := json.Unmarshal(line, &r); err != nil || r.Result.Type != "succeeded" {
			t.Fatalf("line %q: %v", line, err)
		}
		seen[r.ID]++
	}
	for i := range n {
		if times := seen[fmt.Sprintf("doc-%d", i)]; times != 1 {
			t.Errorf("doc-%d is there %d times", i, times)
		}
	}
	if len(seen) != n {
		t.Errorf("%d custom_ids, want %d", len(seen), n)
	}
}

// TestBatchKilled kills weir batch at random instants and runs it again, until
// all is answered: every custom_id is in the results exactly once. The whole
// form is make prove-batch.
func TestBatchKilled(t *testing.T) {
	n, kills := howMany("WEIR_KILL_REQUESTS", 1000), howMany("WEIR_KILLS", 5)
	for mode, whole := range map[string]time.Duration{ // about how long a run takes that nobody kills
		"queue":   time.Duration(n) * 1500 * time.Microsecond,
		"batches": 4*time.Second + time.Duration(n)*200*time.Microsecond,
	} {
		t.Run(mode, func(t *testing.T) {
			api := spawnSim(t, "timing: {ttft: 50ms, batch: 2s}")
			gateway := spawn(t, "serve", "--listen", "127.0.0.1:0", "--admin", "off", "--upstream", api).says(t, "data plane ")
			in := requestFile(t, n)
			args := []string{
				"batch", in, "--gateway", gateway, "--mode", mode, "--concurrency", "64",
				"--batch-size", strconv.Itoa(n / 10), "--settle", "1s",
			}
			out, began := filepath.Join(filepath.Dir(in), "requests.results.jsonl"), time.Now()
			var torn, finished int
			for range kills {
				p := spawn(t, args...)
				time.Sleep(rand.N(whole / time.Duration(kills))) // the instant is what the test is about
				p.kill()
				data, _ := os.ReadFile(out) // not there yet: nothing
				finished = bytes.Count(data, []byte("\n"))
				if len(data) > 0 && data[len(data)-1] != '\n' {
					torn++
				}
			}
			last := spawn(t, args...)
			said := last.says(t, "weir: "+strconv.Itoa(n)+" of ")
			last.kill()
			onceEach(t, out, n)
			st := simStats(t, api)
			asked, made := st.Status[200], st.Batches.Requests
			t.Logf("%s: %d kills in %v, after the last %d of %d were answered, %d torn lines mended; %s",
				mode, kills, time.Since(began).Round(time.Millisecond), finished, n, torn, said)
			switch mode {
			case "queue":
				t.Logf("%d requests upstream: %d were under way at a kill and asked again", asked, int(asked)-n)
				if made != 0 || int(asked) < n || int(asked) > n+64*kills {
					t.Errorf("%d asked, %d in batches", asked, made)
				}
			case "batches":
				t.Logf("%d requests in %d batches upstream", made, st.Batches.Batches)
				if int(made) != n || int(st.Batches.Succeeded) != n {
					t.Errorf("%d requests in batches, %d succeeded, want %d", made, st.Batches.Succeeded, n)
				}
			}
		})
	}
}

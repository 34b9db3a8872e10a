package weir_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// twoRooms is a simulated API of two workspaces, and a gateway with a key of
// each.
type twoRooms struct {
	*testing.T
	api     *sim.Server
	data    string
	journal journal
	more    []weir.Option
}

func newTwoRooms(t *testing.T, c sim.Config) *twoRooms {
	t.Helper()
	var err error
	c.Scenario, err = sim.ParseScenario("test.yaml", []byte("organizations: [{name: a, keys: [k1], workspaces: [{name: w, keys: [k2]}]}]"))
	if err != nil {
		t.Fatal(err)
	}
	r := &twoRooms{T: t, data: t.TempDir()}
	if r.api, err = sim.New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { time.Sleep(time.Minute) }) // net/http lets connections linger
	return r
}

// open makes a gateway that has the keys in this order.
func (r *twoRooms) open(b weir.Batches, keys ...string) (*weir.Gateway, *http.Client) {
	r.Helper()
	b.File = filepath.Join(r.data, "batches.db")
	opts := []weir.Option{weir.WithUpstream("http://api"), weir.WithHTTPTransport(serveInMemory(r.T, r.api)), weir.WithBatches(b), weir.WithObserver(&r.journal)}
	for _, k := range keys {
		opts = append(opts, weir.WithAPIKey(k, k))
	}
	g, err := weir.New(append(opts, r.more...)...)
	if err != nil {
		r.Fatal(err)
	}
	return g, &http.Client{Transport: serveInMemory(r.T, g.Handler())}
}

// ask sends a request and returns the status and the answer.
func (r *twoRooms) ask(client *http.Client, method, path, body string) (int, string) {
	r.Helper()
	req := newPost(r.T, "http://weir.example"+path, body, "Anthropic-Version", "2023-06-01")
	req.Method = method
	resp, text := send(r.T, client, req)
	return resp.StatusCode, text
}

func batchBody(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"custom_id":"doc-%d","params":%s}`, i, request))
	}
	return `{"requests":[` + strings.Join(list, ",") + `]}`
}

func TestBatchesKeepToTheirKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTwoRooms(t, sim.Config{})
		made := func(client *http.Client) string {
			status, text := r.ask(client, "POST", "/v1/messages/batches", batchBody(3))
			var b struct{ ID string }
			if err := json.Unmarshal([]byte(text), &b); err != nil || status != 200 {
				t.Fatalf("%d %s", status, text)
			}
			return b.ID
		}
		first, client := r.open(weir.Batches{}, "k1", "k2")
		mine := made(client)
		first.Close()
		second, client := r.open(weir.Batches{}, "k2", "k1") // another order, after a restart
		defer second.Close()
		other := made(client)
		for id, where := range map[string]string{mine: "k1", other: "k2"} {
			for _, path := range []string{"", "/results"} {
				if status, text := r.ask(client, "GET", "/v1/messages/batches/"+id+path, ""); status != 200 {
					t.Errorf("%s of %s: %d %s", path, where, status, text)
				}
			}
		}
		status, text := r.ask(client, "GET", "/v1/messages/batches/"+mine, "")
		if want := `"results_url":"http://weir.example/v1/messages/batches/` + mine + `/results"`; status != 200 || !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
		if status, text := r.ask(client, "GET", "/v1/messages/batches", ""); status != 200 || !strings.Contains(text, other) || strings.Contains(text, mine) {
			t.Errorf("the list is that of the first key: %d %s", status, text)
		}
		if status, text := r.ask(client, "DELETE", "/v1/messages/batches/"+mine, ""); status != 200 || !strings.Contains(text, "message_batch_deleted") {
			t.Errorf("deleted: %d %s", status, text)
		}
		if status, _ := r.ask(client, "GET", "/v1/messages/batches/"+mine, ""); status != 404 {
			t.Errorf("after that: %d", status)
		}
	})
}

func TestUnknownBatchesAreLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTwoRooms(t, sim.Config{Timing: sim.Timing{Batch: time.Hour}})
		direct := &http.Client{Transport: serveInMemory(t, r.api)}
		req := newPost(t, "http://api/v1/messages/batches", batchBody(2), "Anthropic-Version", "2023-06-01")
		req.Header.Set("X-Api-Key", "k2")
		_, text := send(t, direct, req)
		var b struct{ ID string }
		if err := json.Unmarshal([]byte(text), &b); err != nil {
			t.Fatal(text)
		}
		g, client := r.open(weir.Batches{}, "k1", "k2")
		defer g.Close()
		if status, text := r.ask(client, "POST", "/v1/messages/batches/"+b.ID+"/cancel", ""); status != 404 {
			t.Errorf("what changes something is the first key's: %d %s", status, text)
		}
		if status, text := r.ask(client, "GET", "/v1/messages/batches/"+b.ID, ""); status != 200 {
			t.Errorf("looked for: %d %s", status, text)
		}
		if status, text := r.ask(client, "POST", "/v1/messages/batches/"+b.ID+"/cancel", ""); status != 200 {
			t.Errorf("now it is known: %d %s", status, text)
		}
		if status, _ := r.ask(client, "GET", "/v1/messages/batches/msgbatch_none", ""); status != 404 {
			t.Errorf("nobody's: %d", status)
		}
	})
}

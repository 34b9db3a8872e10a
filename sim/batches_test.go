package sim_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/sim"
)

// batchOf is a batch of n requests with the ids prefix0, prefix1 and so on.
func batchOf(prefix string, n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`{"custom_id":"%s%d","params":%s}`, prefix, i, messageBody("hello", "")))
	}
	return `{"requests":[` + strings.Join(list, ",") + `]}`
}

// batch is what the tests read of one.
type batch struct {
	ID     string         `json:"id"`
	Status string         `json:"processing_status"`
	Counts map[string]int `json:"request_counts"`
	URL    *string        `json:"results_url"`
}

func (b *bench) batch(method, path, body string, headers ...string) (out batch) {
	b.Helper()
	r := b.ask(method, "/v1/messages/batches"+path, body, headers...)
	if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.StatusCode != 200 {
		b.Fatalf("%s %s: %d %s", method, path, r.StatusCode, r.body)
	}
	return out
}

// results counts a batch's results by their type, each custom_id once.
func (b *bench) results(id string) map[string]int {
	b.Helper()
	r := b.ask("GET", "/v1/messages/batches/"+id+"/results", "")
	if r.StatusCode != 200 {
		b.Fatalf("results: %d %s", r.StatusCode, r.body)
	}
	seen, kinds := map[string]bool{}, map[string]int{}
	for line := range strings.Lines(r.body) {
		var one struct {
			ID     string `json:"custom_id"`
			Result struct {
				Type    string `json:"type"`
				Message struct {
					Usage struct {
						Tier string `json:"service_tier"`
					} `json:"usage"`
				} `json:"message"`
			} `json:"result"`
		}
		if err := json.Unmarshal([]byte(line), &one); err != nil || seen[one.ID] {
			b.Fatalf("line %q: %v", line, err)
		}
		if one.Result.Type == "succeeded" && one.Result.Message.Usage.Tier != "batch" {
			b.Errorf("%s has the tier %q", one.ID, one.Result.Message.Usage.Tier)
		}
		seen[one.ID] = true
		kinds[one.Result.Type]++
	}
	return kinds
}

func TestBatch(t *testing.T) {
	inBubble(t, sim.Config{Timing: sim.Timing{Batch: time.Minute}}, func(b *bench) {
		body := strings.Replace(batchOf("r", 10), `"max_tokens":8192`, `"stream":true,"max_tokens":8192`, 1)
		made := b.batch("POST", "", body)
		if made.Status != "in_progress" || made.Counts["processing"] != 10 || made.URL != nil {
			t.Errorf("made %+v", made)
		}
		if r := b.ask("GET", "/v1/messages/batches/"+made.ID+"/results", ""); r.StatusCode != 404 {
			t.Errorf("results before the end: %d", r.StatusCode)
		}
		if r := b.ask("DELETE", "/v1/messages/batches/"+made.ID, ""); r.StatusCode != 409 {
			t.Errorf("deleted before the end: %d", r.StatusCode)
		}
		time.Sleep(31 * time.Second)
		if half := b.batch("GET", "/"+made.ID, ""); half.Counts["processing"] != 5 || half.Counts["errored"] != 1 {
			t.Errorf("half way %+v", half)
		}
		time.Sleep(30 * time.Second)
		if end := b.batch("GET", "/"+made.ID, ""); end.Status != "ended" || end.URL == nil || end.Counts["succeeded"] != 9 {
			t.Errorf("at the end %+v", end)
		}
		if got := b.results(made.ID); got["succeeded"] != 9 || got["errored"] != 1 {
			t.Errorf("results %v", got)
		}
		if st := b.srv.Stats().Batches; st.Batches != 1 || st.Succeeded != 9 || st.Errored != 1 || st.InputTokens == 0 || st.OutputTokens == 0 {
			t.Errorf("stats %+v", st)
		}
		if r := b.ask("DELETE", "/v1/messages/batches/"+made.ID, ""); r.StatusCode != 200 {
			t.Errorf("deleted: %d", r.StatusCode)
		}
		if r := b.ask("GET", "/v1/messages/batches/"+made.ID, ""); r.StatusCode != 404 || b.srv.Stats().Batches.Succeeded != 9 {
			t.Errorf("after its end: %d, %+v", r.StatusCode, b.srv.Stats().Batches)
		}
	})
}

func TestBatchCanceledAndExpired(t *testing.T) {
	inBubble(t, sim.Config{Timing: sim.Timing{Batch: 48 * time.Hour}}, func(b *bench) {
		first, second := b.batch("POST", "", batchOf("a", 48)), b.batch("POST", "", batchOf("b", 48))
		time.Sleep(10*time.Hour + time.Minute)
		if c := b.batch("POST", "/"+first.ID+"/cancel", ""); c.Status != "canceling" {
			t.Errorf("canceled %+v", c)
		}
		time.Sleep(15 * time.Hour)
		if got := b.results(first.ID); got["succeeded"] != 10 || got["canceled"] != 38 {
			t.Errorf("canceled: %v", got)
		}
		if got := b.results(second.ID); got["succeeded"] != 24 || got["expired"] != 24 {
			t.Errorf("expired: %v", got)
		}
		if r := b.ask("POST", "/v1/messages/batches/"+second.ID+"/cancel", ""); r.StatusCode != 409 {
			t.Errorf("canceled after its end: %d", r.StatusCode)
		}
	})
}

func TestBatchesOfAWorkspace(t *testing.T) {
	s := scenario(t, "organizations: [{name: a, keys: [k1], workspaces: [{name: w, keys: [k2]}]}]")
	inBubble(t, sim.Config{Scenario: s}, func(b *bench) {
		var ids []string
		for i := range 5 {
			ids = append(ids, b.batch("POST", "", batchOf(fmt.Sprint("x", i, "-"), 1), "x-api-key", "k1").ID)
		}
		if r := b.ask("GET", "/v1/messages/batches/"+ids[0], "", "x-api-key", "k2"); r.StatusCode != 404 {
			t.Errorf("another workspace's batch: %d", r.StatusCode)
		}
		var page struct {
			Data []batch `json:"data"`
			More bool    `json:"has_more"`
			Last string  `json:"last_id"`
		}
		list := func(query, key string) int {
			r := b.ask("GET", "/v1/messages/batches"+query, "", "x-api-key", key)
			page.Data = nil
			if err := json.Unmarshal([]byte(r.body), &page); err != nil {
				t.Fatal(err)
			}
			return len(page.Data)
		}
		if list("?limit=3", "k1") != 3 || !page.More || page.Data[0].ID != ids[4] {
			t.Errorf("first page %+v", page)
		}
		if list("?limit=3&after_id="+page.Last, "k1") != 2 || page.More || page.Data[1].ID != ids[0] {
			t.Errorf("second page %+v", page)
		}
		if list("?limit=3&before_id="+ids[0], "k1") != 3 || !page.More || page.Data[2].ID != ids[1] {
			t.Errorf("page before %+v", page)
		}
		if list("", "k2") != 0 {
			t.Errorf("the other workspace lists %+v", page)
		}
	})
}

func TestBatchesAreRefused(t *testing.T) {
	inBubble(t, sim.Config{Tier: "tier1-2025", Timing: sim.Timing{Batch: time.Hour}}, func(b *bench) {
		for name, body := range map[string]string{
			"none": `{"requests":[]}`, "no-list": `{}`, "twice": strings.Replace(batchOf("a", 2), "a1", "a0", 1),
			"odd-id": batchOf("a b", 1), "long-id": batchOf(strings.Repeat("a", 64), 1), "no-params": `{"requests":[{"custom_id":"a"}]}`,
		} {
			if r := b.ask("POST", "/v1/messages/batches", body); r.StatusCode != 400 {
				t.Errorf("%s: %d %s", name, r.StatusCode, r.body)
			}
		}
		if _, err := b.try("POST", "/v1/messages/batches", batchOf("lost", 3), "x-sim-fault", "reset@1"); err == nil {
			t.Error("an answer came")
		}
		if st := b.srv.Stats().Batches; st.Batches != 1 || st.Requests != 3 {
			t.Errorf("the batch whose answer was lost is not there: %+v", st)
		}
		for range 60 {
			b.ask("GET", "/v1/messages/batches", "")
		}
		if r := b.ask("GET", "/v1/messages/batches", ""); r.StatusCode != 429 || r.Header.Get("Retry-After") == "" {
			t.Errorf("61 in a minute: %d", r.StatusCode)
		}
	})
}

func TestBatchIsBilledAtHalf(t *testing.T) {
	inBubble(t, sim.Config{Timing: sim.Timing{Batch: time.Minute}}, func(b *bench) {
		b.batch("POST", "", batchOf("r", 4))
		time.Sleep(16 * time.Second) // one of them is done
		path := "/v1/organizations/cost_report?starting_at=2000-01-01T00:00:00Z&ending_at=2000-01-02T00:00:00Z&group_by[]=description"
		amounts := func() (sum float64, tiers string) {
			r := b.ask("GET", path, "", "x-api-key", "sk-ant-admin01-default")
			var report struct {
				Data []struct {
					Results []struct {
						Amount string `json:"amount"`
						Tier   string `json:"service_tier"`
					} `json:"results"`
				} `json:"data"`
			}
			if err := json.Unmarshal([]byte(r.body), &report); err != nil || r.StatusCode != 200 {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
			for _, line := range report.Data[0].Results {
				var amount float64
				fmt.Sscan(line.Amount, &amount)
				sum, tiers = sum+amount, tiers+line.Tier+" "
			}
			return sum, tiers
		}
		one, tiers := amounts()
		st := b.srv.Stats().Batches
		want := (float64(st.InputTokens)*2 + float64(st.OutputTokens)*10) / 10_000 / 2 // claude-sonnet-5-5: $2 and $10 a million
		if tiers != "batch batch " || one < want*0.999 || one > want*1.001 {
			t.Errorf("billed %v cents of the tiers %s, want %v", one, tiers, want)
		}
		time.Sleep(time.Minute)
		if all, _ := amounts(); all < 3.9*one || all > 4.1*one {
			t.Errorf("billed %v in all, %v for one", all, one)
		}
	})
}

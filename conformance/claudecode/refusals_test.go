package claudecode

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/weir-gateway/weir/conformance/refusals"
)

// TestRefusals meets every refusal, in both languages and in virtual time, with
// all of the client's retries.
func TestRefusals(t *testing.T) {
	for _, c := range refusals.Cases() {
		if c.Ask.Models {
			continue // the client never asks for them
		}
		for _, lang := range []string{"en", "zh"} {
			t.Run(c.Name+"/"+lang, func(t *testing.T) {
				var out outcome
				synctest.Test(t, func(t *testing.T) { out = meet(t, c, lang) })
				report(t, c, out)
			})
		}
	}
}

// meet sends one prompt to the house of a case, and checks how it ends.
func meet(t *testing.T, c refusals.Case, lang string) outcome {
	h, err := refusals.Open(refusals.Memory, c)
	if err != nil {
		t.Error(err)
		return outcome{}
	}
	client := &client{
		http: http.Client{Transport: h.Way}, base: h.URL + c.Ask.Prefix, key: c.Ask.Key,
		rand: rand.New(rand.NewPCG(1, 2)), more: http.Header{"Weir-Lang": {lang}},
	}
	for name, value := range c.Ask.Headers {
		client.more.Set(name, value)
	}
	out, err := client.prompt(t.Context(), prompt(c))
	met := h.Met()
	if err := h.Close(); err != nil {
		t.Errorf("close the house: %v", err)
	}
	time.Sleep(time.Second) // net/http lingers over the connections that it closes

	wanted := wants(c)
	if out.status != wanted.status || out.requests != wanted.requests || met.Requests != out.requests || met.Broken != "" {
		t.Errorf("%d after %d requests, want %d after %d; the gateway's fault: %q", out.status, out.requests, wanted.status, wanted.requests, met.Broken)
	}
	if out.took > wanted.within {
		t.Errorf("it took %v, want %v at most", out.took, wanted.within)
	}
	switch {
	case c.Expect.Served:
		if err != nil || out.text == "" {
			t.Errorf("it came back when it was told to, and got %q, %v", out.text, err)
		}
	case out.message == "":
		t.Errorf("nothing to show: %+v, %v", out, err)
	case c.Expect.Own && strings.ContainsFunc(out.message, func(r rune) bool { return unicode.Is(unicode.Han, r) }) != (lang == "zh"):
		t.Errorf("asked for %s, got %q", lang, out.message)
	}
	return out
}

// prompt is the client's request with what is special about the case.
func prompt(c refusals.Case) []byte {
	body := bytes.Replace(request(true), []byte(`"model":"`+model+`"`), []byte(`"model":"`+c.Ask.Model+`"`), 1)
	return bytes.Replace(body, []byte("say hi"), []byte("say hi"+strings.Repeat(" weir", c.Ask.Filler/5)), 1)
}

// wanted is how a prompt must end.
type wanted struct {
	status   int
	requests int
	within   time.Duration
}

// wants follows from the case and the client's rules. A 529 is repeated even
// if that is of no use.
func wants(c refusals.Case) wanted {
	e := c.Expect
	w := wanted{status: e.Status, requests: 1}
	switch {
	case e.Served:
		w.status, w.requests = http.StatusOK, e.Requests
	case c.Name == "no room after overload":
		w.status, w.requests = http.StatusTooManyRequests, 2 // then it waits for quota alone
	case e.Status == http.StatusBadRequest:
		w.requests = 1 + maxBetaDrops
	case e.Status == 529:
		w.requests = maxOverloads
	case e.Requests > 1:
		w.requests = 1 + maxRetries
	}
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	w.within = 2*time.Second + time.Duration(w.requests)*seconds(e.Hold)
	for i := range w.requests - 1 {
		wait := max(min(backoffShortest<<i, backoffLongest), time.Duration(e.RetryAfter)*time.Second)
		w.within += wait + wait/4
	}
	return w
}

// report tells the server of the refusals, if there is one, what this client
// did: docs/refusals.md is made of it.
func report(t *testing.T, c refusals.Case, out outcome) {
	t.Helper()
	url := os.Getenv("REFUSALS_URL")
	if url == "" {
		return
	}
	body, err := json.Marshal(map[string]any{
		"case": c.Name, "client": "claude-code", "requests": out.requests, "seconds": out.took.Seconds(),
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url+"/report", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("report: %s", resp.Status)
	}
}

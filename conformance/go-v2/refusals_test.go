package conformance

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
)

// refusal is a case of conformance/refusals: how to ask, and what to expect.
type refusal struct {
	Name string
	Ask  struct {
		Key     string
		Bearer  bool
		Headers map[string]string
		Model   string
		Filler  int
		Stream  bool
		Prefix  string
		Models  bool
	}
	Expect promise
}

type promise struct {
	Status     int
	Type, Code string
	Own, Facts bool
	Served     bool
	Hold       float64 `json:"hold_s"`
	Requests   int
	Within     float64 `json:"within_s"`
}

// quick tells the refusals that come at once. They are met one after another,
// so that a busy machine is not taken for a slow gateway.
func (p promise) quick() bool { return p.Requests == 1 && p.Hold == 0 }

// refusals calls the server that opens a house for every refusal.
func refusals(t *testing.T, method, path string, ask, answer any) {
	t.Helper()
	body, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, env("REFUSALS_URL")+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %s", path, text)
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		t.Fatal(err)
	}
}

// TestRefusals meets every refusal, in both languages, with the retries that
// the SDK makes by default.
func TestRefusals(t *testing.T) {
	t.Parallel()
	if os.Getenv("REFUSALS_URL") == "" {
		t.Skip("REFUSALS_URL is not set: there is nobody who refuses")
	}
	var cases []refusal
	refusals(t, http.MethodGet, "/cases", nil, &cases)
	for _, c := range cases {
		for _, lang := range []string{"en", "zh"} {
			t.Run(c.Name+"/"+lang, func(t *testing.T) {
				if !c.Expect.quick() {
					t.Parallel()
				}
				c.meet(t, lang)
			})
		}
	}
}

func (c refusal) meet(t *testing.T, lang string) {
	var house struct{ ID, URL string }
	refusals(t, http.MethodPost, "/open", map[string]string{"case": c.Name, "client": env("WEIR_SUITE")}, &house)
	client := c.client(house.URL, lang)
	params := ask("hi"+strings.Repeat(" weir", c.Ask.Filler/5), 64)
	params.Model = c.Ask.Model

	began := time.Now()
	answer, err := c.ask(t, client, params)
	took := time.Since(began).Seconds()

	var met struct {
		Requests int
		Broken   string `json:"broken_promises"`
	}
	refusals(t, http.MethodPost, "/close", map[string]any{"id": house.ID, "seconds": took}, &met)
	if met.Requests != c.Expect.Requests || took > c.Expect.Within || met.Broken != "" {
		t.Errorf("%d requests in %.1f s, want %d within %.1f s; the gateway's fault: %q",
			met.Requests, took, c.Expect.Requests, c.Expect.Within, met.Broken)
	}
	if c.Expect.Served {
		if err != nil || answer == "" {
			t.Errorf("it was told when to come back, and then got %q, %v", answer, err)
		}
		return
	}
	c.check(t, apiError(t, err), lang)
}

// client is one with the credential and the headers of the case.
func (c refusal) client(url, lang string) anthropic.Client {
	opts := []option.RequestOption{option.WithBaseURL(url + c.Ask.Prefix), option.WithHeader("weir-lang", lang)}
	switch {
	case c.Ask.Key == "":
		// The SDK insists on a key, so it is taken away on its way.
		opts = append(opts, option.WithAPIKey("none"), option.WithHTTPClient(&http.Client{Transport: keyless{}}))
	case c.Ask.Bearer:
		opts = append(opts, option.WithAuthToken(c.Ask.Key))
	default:
		opts = append(opts, option.WithAPIKey(c.Ask.Key))
	}
	for name, value := range c.Ask.Headers {
		opts = append(opts, option.WithHeader(name, value))
	}
	return anthropic.NewClient(opts...)
}

// keyless sends requests without a key.
type keyless struct{}

func (keyless) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Del("X-Api-Key")
	r.Header.Del("Authorization") // where v2 puts it
	return http.DefaultTransport.RoundTrip(r)
}

// ask makes the request of the case.
func (c refusal) ask(t *testing.T, client anthropic.Client, params anthropic.MessageNewParams) (answer string, err error) {
	switch {
	case c.Ask.Models:
		_, err = client.Models.List(t.Context(), anthropic.ModelListParams{})
		return "", err
	case !c.Ask.Stream:
		m, err := client.Messages.New(t.Context(), params)
		if err != nil {
			return "", err
		}
		return text(m), nil
	}
	stream := client.Messages.NewStreaming(t.Context(), params)
	defer stream.Close()
	for stream.Next() {
		answer += stream.Current().Delta.Text
		if stream.Current().Type == "message_stop" {
			t.Error("a stream that failed ends with message_stop")
		}
	}
	return answer, stream.Err()
}

func (c refusal) check(t *testing.T, e *anthropic.Error, lang string) {
	t.Helper()
	if e.StatusCode != c.Expect.Status || string(e.Type()) != c.Expect.Type {
		t.Errorf("got %d %s, want %d %s: %v", e.StatusCode, e.Type(), c.Expect.Status, c.Expect.Type, e)
	}
	var body struct {
		Error struct {
			Message string
			Details struct {
				Code string `json:"error_code"`
				Weir struct{ Scope, Who, Hint string }
			}
		}
	}
	if err := json.Unmarshal([]byte(e.RawJSON()), &body); err != nil {
		t.Fatalf("%s: %v", e.RawJSON(), err)
	}
	if code := body.Error.Details.Code; code != c.Expect.Code {
		t.Errorf("error_code %q, want %q", code, c.Expect.Code)
	}
	if !c.Expect.Own {
		if body.Error.Message == "" {
			t.Error("it has no words")
		}
		return
	}
	said, w := []string{body.Error.Message}, body.Error.Details.Weir
	if c.Expect.Facts {
		said = append(said, w.Hint)
	}
	for _, words := range said {
		if words == "" || strings.ContainsFunc(words, isHan) != (lang == "zh") {
			t.Errorf("asked for %s, got %q", lang, words)
		}
	}
	if c.Expect.Facts && (w.Scope == "" || w.Who == "") {
		t.Errorf("it lacks facts: %s", e.RawJSON())
	}
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

package sim_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/internal/memnet"
	"github.com/weir-gateway/weir/sim"
)

// bench is a simulator on a network in memory, inside a bubble in which time
// passes only when everybody waits.
type bench struct {
	*testing.T
	srv    *sim.Server
	client *http.Client
}

// inBubble runs test against a simulator, in a bubble of its own.
func inBubble(t *testing.T, c sim.Config, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		srv, err := sim.New(c)
		if err != nil {
			t.Fatal(err)
		}
		transport, stop := memnet.Serve(srv)
		defer func() {
			stop()
			time.Sleep(time.Minute) // net/http lets a connection linger after an early answer
		}()
		test(&bench{T: t, srv: srv, client: &http.Client{Transport: transport}})
	})
}

// scenario reads one from the text of a file.
func scenario(t *testing.T, text string) *sim.Scenario {
	t.Helper()
	s, err := sim.ParseScenario("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reply is an answer with its body read.
type reply struct {
	*http.Response
	body string
	err  error // of reading the body
	took time.Duration
}

// ask sends a request and reads the whole answer. headers are pairs.
func (b *bench) ask(method, path, body string, headers ...string) reply {
	b.Helper()
	r, err := b.try(method, path, body, headers...)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// try is ask for a request that may break.
func (b *bench) try(method, path, body string, headers ...string) (reply, error) {
	b.Helper()
	began := time.Now()
	req, err := http.NewRequestWithContext(b.Context(), method, "http://sim"+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("x-api-key", "sk-ant-test")
	req.Header.Set("anthropic-version", "2023-06-01")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return reply{took: time.Since(began)}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{Response: resp, body: string(text), err: err, took: time.Since(began)}, nil
}

// message asks for an answer to text.
func (b *bench) message(text string, headers ...string) reply {
	b.Helper()
	return b.ask("POST", "/v1/messages?beta=true", messageBody(text, ""), headers...)
}

// messageBody is a request with one user message and further fields.
func messageBody(text, fields string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // strings always marshal
	}
	return `{"model":"claude-sonnet-5-5","max_tokens":8192,"messages":[{"role":"user","content":` + string(quoted) + `}]` + fields + `}`
}

// words makes a text of about n tokens.
func words(n int) string { return strings.Repeat("water ", n*10/17+1) }

// number reads a numeric header.
func (r reply) number(t *testing.T, name string) int {
	t.Helper()
	n, err := strconv.Atoi(r.Header.Get(name))
	if err != nil {
		t.Fatalf("header %s: %v", name, err)
	}
	return n
}

// remaining reads one group of rate-limit headers.
func (r reply) remaining(t *testing.T, group string) int {
	t.Helper()
	return r.number(t, "anthropic-ratelimit-"+group+"-remaining")
}

// errorBody is the API's error.
type errorBody struct {
	Type  string
	Error struct {
		Type, Message string
		Details       struct {
			Code string `json:"error_code"`
		}
	}
	RequestID string `json:"request_id"`
}

func (r reply) error(t *testing.T) errorBody {
	t.Helper()
	var e errorBody
	if err := json.Unmarshal([]byte(r.body), &e); err != nil {
		t.Fatalf("error body %q: %v", r.body, err)
	}
	if e.Type != "error" || e.RequestID == "" || e.RequestID != r.Header.Get("request-id") {
		t.Errorf("error body %q does not carry the request id %q", r.body, r.Header.Get("request-id"))
	}
	return e
}

// usage is the usage of an answer.
type usage struct {
	Input   int `json:"input_tokens"`
	Write   int `json:"cache_creation_input_tokens"`
	Read    int `json:"cache_read_input_tokens"`
	Output  int `json:"output_tokens"`
	Created struct {
		Short int `json:"ephemeral_5m_input_tokens"`
		Long  int `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	Details struct {
		Thinking int `json:"thinking_tokens"`
	} `json:"output_tokens_details"`
}

// answer is a message as the API returns it.
type answer struct {
	Type, Role, Model, ID string
	Content               []struct {
		Type, Text, Thinking, Signature, Name, ID string
		Input                                     json.RawMessage
	}
	Stop  string `json:"stop_reason"`
	Seq   string `json:"stop_sequence"`
	Usage usage
}

func (r reply) answer(t *testing.T) answer {
	t.Helper()
	var a answer
	if r.StatusCode != 200 {
		t.Fatalf("status %d: %s", r.StatusCode, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &a); err != nil {
		t.Fatalf("answer %q: %v", r.body, err)
	}
	return a
}

// sse is one server-sent event.
type sse struct {
	name string
	data struct {
		Type    string
		Index   int
		Message answer
		Delta   struct {
			Type, Text, Thinking, Signature string
			Partial                         string `json:"partial_json"`
			Stop                            string `json:"stop_reason"`
		}
		Usage usage
		Error struct{ Type, Message string }
	}
}

// events parses a stream.
func (r reply) events(t *testing.T) []sse {
	t.Helper()
	var all []sse
	var e sse
	for lines := bufio.NewScanner(strings.NewReader(r.body)); lines.Scan(); {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "event":
			e = sse{name: value}
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				t.Fatalf("event %q: %v", value, err)
			}
			all = append(all, e)
		}
	}
	return all
}

func names(events []sse) string {
	var list []string
	for _, e := range events {
		if n := len(list); n == 0 || list[n-1] != e.name || e.name != "content_block_delta" {
			list = append(list, e.name)
		}
	}
	return strings.Join(list, " ")
}

// tryWithin asks for n tokens and reads until ctx ends.
func (b *bench) tryWithin(ctx context.Context, body, n string) (string, error) {
	b.Helper()
	req, err := http.NewRequestWithContext(ctx, "POST", "http://sim/v1/messages", strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("x-api-key", "sk-ant-test")
	req.Header.Set("anthropic-version", "2023-06-01")
	req.Header.Set("x-sim-output-tokens", n)
	resp, err := b.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

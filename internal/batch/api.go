package batch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/fault"
)

// API asks an API, or a gateway before it. It never repeats a request.
type API struct {
	Base      string // such as http://127.0.0.1:8787
	Header    http.Header
	Query     string // of a new batch, without the question mark; may be empty
	Transport http.RoundTripper
}

// judge tells failures apart. It is made when a batch meets the first one.
var judge = sync.OnceValue(fault.New)

// Failure is an answer other than success, or none.
type Failure struct {
	Verdict call.Verdict
	Body    []byte // of the answer; nil if there was none
	Scope   string // of a gateway's own refusal: temporary, account, request or gateway
	Unsent  bool   // it is sure that the request did not get there
	cause   error
}

// Error tells the API's own words.
func (f *Failure) Error() string {
	if f.Body == nil {
		return fmt.Sprintf("no answer: %v", f.cause)
	}
	return fmt.Sprintf("status %d: %s", f.Verdict.Status, f.Verdict.Message)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.cause }

// Fatal reports whether no request can succeed before somebody does something.
func (f *Failure) Fatal() bool {
	switch f.Scope {
	case "account":
		return true
	case "gateway":
		return f.Verdict.Status < 429
	}
	return f.Verdict.Account()
}

// Transient reports whether the same request may succeed later.
func (f *Failure) Transient() bool {
	switch f.Scope {
	case "temporary", "gateway":
		return true
	case "request", "account":
		return false
	}
	return f.Verdict.Transient() || f.Verdict.Status == http.StatusRequestTimeout
}

// doubtful reports whether what the request asks for may have been done all the
// same. A gateway's own 5xx says no more than that it has got no answer.
func (f *Failure) doubtful() bool {
	return !f.Unsent && (f.Verdict.Status == 0 || f.Verdict.Status >= 500)
}

// do sends one request. The error is a [*Failure]; an answer is a success.
func (a *API) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.Base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, &Failure{Unsent: true, cause: err}
	}
	maps.Copy(req.Header, a.Header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := a.Transport.RoundTrip(req)
	if err != nil {
		return nil, unanswered(err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what could be read will do
	f := &Failure{Body: raw, Verdict: judge().Answer(time.Now(), resp.StatusCode, resp.Header, raw)}
	var own struct {
		Error struct {
			Details struct{ Weir struct{ Scope string } }
		}
	}
	if json.Unmarshal(raw, &own) == nil {
		f.Scope = own.Error.Details.Weir.Scope
	}
	return nil, f
}

// unanswered is the failure of a request without an answer.
func unanswered(err error) *Failure {
	f := &Failure{Verdict: fault.Unreachable(err), cause: err}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		f.Unsent = true
	}
	return f
}

// Ask sends a Messages request and returns the message.
func (a *API) Ask(ctx context.Context, params []byte) ([]byte, error) {
	return a.read(ctx, http.MethodPost, "/v1/messages", params)
}

// read returns a whole JSON answer.
func (a *API) read(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	resp, err := a.do(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && !json.Valid(raw) {
		err = errNoJSON
	}
	if err != nil {
		return nil, unanswered(err)
	}
	return raw, nil
}

var errNoJSON = errors.New("the answer is no JSON")

const batchesPath = "/v1/messages/batches"

// Batch is a batch as the API shows it.
type Batch struct {
	ID      string    `json:"id"`
	Status  string    `json:"processing_status"`
	Counts  Counts    `json:"request_counts"`
	Created time.Time `json:"created_at"`
}

// Ended reports whether there are results.
func (b Batch) Ended() bool { return b.Status == "ended" }

// Counts is how many of a batch's requests have come how far.
type Counts struct {
	Processing int `json:"processing"`
	Succeeded  int `json:"succeeded"`
	Errored    int `json:"errored"`
	Canceled   int `json:"canceled"`
	Expired    int `json:"expired"`
}

// Total is the number of the batch's requests.
func (c Counts) Total() int { return c.Processing + c.Succeeded + c.Errored + c.Canceled + c.Expired }

// Create makes a batch of a body of requests.
func (a *API) Create(ctx context.Context, body []byte) (Batch, error) {
	path := batchesPath
	if a.Query != "" {
		path += "?" + a.Query
	}
	return a.batch(ctx, http.MethodPost, path, body)
}

// Get looks at a batch.
func (a *API) Get(ctx context.Context, id string) (Batch, error) {
	return a.batch(ctx, http.MethodGet, batchesPath+"/"+id, nil)
}

func (a *API) batch(ctx context.Context, method, path string, body []byte) (b Batch, err error) {
	raw, err := a.read(ctx, method, path, body)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(raw, &b); err != nil || b.ID == "" {
		return b, unanswered(errors.New("the answer is no batch"))
	}
	return b, nil
}

// Since lists the batches that were made since a time, the newest first.
func (a *API) Since(ctx context.Context, since time.Time) (all []Batch, err error) {
	query := "?limit=1000"
	for {
		raw, err := a.read(ctx, http.MethodGet, batchesPath+query, nil)
		if err != nil {
			return nil, err
		}
		var page struct {
			Data []Batch `json:"data"`
			More bool    `json:"has_more"`
			Last string  `json:"last_id"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, unanswered(errors.New("the answer is no list of batches"))
		}
		for _, b := range page.Data {
			if b.Created.Before(since) {
				return all, nil
			}
			all = append(all, b)
		}
		if !page.More || page.Last == "" {
			return all, nil
		}
		query = "?limit=1000&after_id=" + page.Last
	}
}

// Results hands the results of an ended batch to take, in no order. It ends
// early, with take's error, if there is one.
func (a *API) Results(ctx context.Context, id string, take func(Result) error) error {
	resp, err := a.do(ctx, http.MethodGet, batchesPath+"/"+id+"/results", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	r := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		text, err := r.ReadBytes('\n')
		if len(bytes.TrimSpace(text)) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			one, perr := ParseResult(text)
			if perr != nil {
				return unanswered(fmt.Errorf("a line of the results: %w", perr))
			}
			if terr := take(one); terr != nil {
				return terr
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return unanswered(err)
		}
	}
}

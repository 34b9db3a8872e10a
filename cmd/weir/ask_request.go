package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/weir-gateway/weir/internal/question"
)

// askRequest is the request of weir ask.
type askRequest struct {
	header http.Header
	body   []byte // of /v1/messages
	count  []byte // the same for count_tokens
}

// askMessage is what a question and its counting have in common.
type askMessage struct {
	Model    string       `json:"model"`
	System   string       `json:"system,omitempty"`
	Messages []askContent `json:"messages"`
}

type askContent struct {
	Role    string           `json:"role"`
	Content []question.Block `json:"content"`
}

// newAskRequest puts the files in front of the prompt.
func newAskRequest(ctx context.Context, e env, f askFlags, prompt string) (askRequest, error) {
	var blocks []question.Block
	for _, name := range f.files {
		b, err := readBlock(ctx, e, name)
		if err != nil {
			return askRequest{}, err
		}
		blocks = append(blocks, b)
	}
	blocks = append(blocks, question.Block{Type: "text", Text: prompt})
	m := askMessage{f.model, f.system, []askContent{{"user", blocks}}}
	q := askRequest{header: http.Header{"Weir-Split": {f.split}, "Weir-Max-Wait": {f.maxWait.String()}, "Weir-Lang": {f.lang}}}
	if f.class != "" {
		q.header.Set("Weir-Class", f.class)
	}
	var err, other error
	q.count, err = plainJSON(m)
	q.body, other = plainJSON(struct {
		askMessage
		MaxTokens int64 `json:"max_tokens"`
		Stream    bool  `json:"stream"`
	}{m, f.maxTokens, true})
	return q, errors.Join(err, other)
}

// plainJSON writes < as it is, not as six bytes: a page of HTML is to fit into a
// request.
func plainJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return out.Bytes(), err
}

// readBlock reads a file, or the standard input for "-".
func readBlock(ctx context.Context, e env, name string) (question.Block, error) {
	in, called := e.stdin, "the standard input"
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return question.Block{}, usageError{hinted{err, "name a file, or - for the standard input"}}
		}
		defer file.Close()
		in, called = file, name
	}
	data, err := readUntil(ctx, io.LimitReader(in, question.MaxText+1)) // one more tells that it is too large
	if err != nil {
		return question.Block{}, fmt.Errorf("read %s: %w", called, err)
	}
	b, err := question.BlockOf(data)
	if no, ok := errors.AsType[*question.Unfit](err); ok {
		return b, usageError{hinted{fmt.Errorf("%s cannot be asked about: %w", called, no), no.Hint}}
	}
	return b, err
}

// readUntil reads to the end, or until ctx is done: a terminal may never come to
// one. What is still being read then is read in vain until the process ends.
func readUntil(ctx context.Context, in io.Reader) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		data, err := io.ReadAll(in)
		read <- result{data, err}
	}()
	select {
	case r := <-read:
		return r.data, r.err
	case <-ctx.Done():
		return nil, errInterrupted
	}
}

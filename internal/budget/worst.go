package budget

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/price"
)

// A token is at least one byte of text, in every tokenizer that works on bytes.
// So the text's bytes bound its tokens, and what is put around it is bounded
// generously.
const (
	perRequest = 64
	perMessage = 16
	perTool    = 64
	perBlock   = 48
	withTools  = 1024 // the system prompt that tools bring
	perImage   = 4784 // the cap of the newer rule
	perPage    = 5000 // of a document: its text and its picture
	// What a server tool reads is in no request: this much is allowed for each
	// use, and so many uses where the request does not bound them.
	perUse    = 20_000
	mostUses  = 10
	maxOutput = 1 << 20 // more than any model writes: a larger max_tokens is refused upstream
)

var bytesOf = [call.NumScripts]call.Tokens{
	call.Letters: 1, call.Spaces: 1, call.Digits: 1, call.Marks: 1, call.Lines: 1,
	call.Accented: 2, call.Foreign: 3, call.Wide: 4, call.Symbols: 4,
}

// boundOf is the most that an attempt at c can use, as far as the request shows
// it: documents by reference and what server tools read are allowed for, not
// bounded.
func boundOf(c *call.Call) price.Bound {
	m := &c.Content.Measure
	n := call.Tokens(perRequest)
	for script, chars := range m.Text {
		n += bytesOf[script] * call.Tokens(chars)
	}
	n += perMessage*call.Tokens(m.Messages) + perTool*call.Tokens(m.Tools) + perBlock*call.Tokens(m.Blocks)
	n += perImage*call.Tokens(m.Images) + perPage*call.Tokens(m.Pages)
	b := price.Bound{Output: min(c.MaxTokens, maxOutput), Fast: c.Pool == call.PoolFast}
	if m.Tools > 0 {
		searches, uses := serverUses(c.Body)
		n += withTools + perUse*call.Tokens(uses)
		b.Searches = searches
	}
	b.Input = max(n, c.Estimate.Input+c.Estimate.Cached)
	return b
}

// serverUses counts how often the upstream's own tools may be used in a
// request: web searches, which cost money each, and all of them.
func serverUses(body []byte) (searches, all int64) {
	if !bytes.Contains(body, []byte("web_search_")) && !bytes.Contains(body, []byte("web_fetch_")) {
		return 0, 0
	}
	var request struct {
		Tools []struct {
			Type    string `json:"type"`
			MaxUses *int64 `json:"max_uses"`
		} `json:"tools"`
	}
	if json.Unmarshal(body, &request) != nil {
		return mostUses, mostUses // classify has read it: it does not happen
	}
	for _, t := range request.Tools {
		search := strings.HasPrefix(t.Type, "web_search_")
		if !search && !strings.HasPrefix(t.Type, "web_fetch_") {
			continue
		}
		n := int64(mostUses)
		if t.MaxUses != nil && *t.MaxUses >= 0 && *t.MaxUses < 1000 {
			n = *t.MaxUses
		}
		all += n
		if search {
			searches += n
		}
	}
	return searches, all
}

// How fast a model may write, in tokens a second, and how long the upstream may
// go on after nobody listens any more. No model has been measured at half of
// it, in its fast mode either.
const (
	fastest = 500
	lag     = 2 * time.Second
)

// cost is what an attempt is booked with that ended with usage u. One that did
// not end by itself costs what the upstream may charge at most: the input, once
// it has said how much that is, and as much output as can have been written.
func (h *hold) cost(now time.Time, u call.Usage) call.USD {
	if u.Exact && !u.Unsure {
		cost, _ := h.prices.Cost(modelOf(h, u), h.begun, u)
		return cost
	}
	output := h.bound.Output
	if h.stream {
		output = min(output, call.Tokens((now.Sub(h.sent)+lag).Seconds()*fastest))
	}
	if u.Input+u.CacheRead+u.CacheWrite == 0 || h.bound.Searches > 0 {
		b := h.bound
		b.Output = max(output, u.Output)
		return min(h.amount, h.prices.Most(h.model, h.begun, b))
	}
	u.Output = max(u.Output, output)
	cost, _ := h.prices.Cost(modelOf(h, u), h.begun, u)
	return cost
}

func modelOf(h *hold, u call.Usage) string {
	if u.Model != "" {
		return u.Model
	}
	return h.model
}

package sim

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// answer is what the model will say, complete before the first byte of it.
type answer struct {
	tier     string // service_tier; "": standard
	id       string
	req      *request
	blocks   []answerBlock
	stop     string
	stopWord string // the stop sequence that was met
	cache    cachePlan
	output   int // tokens, all blocks together
	thought  int // of which thinking
}

// answerBlock is one content block.
type answerBlock struct {
	kind   string // thinking, text or tool_use
	text   string // thinking, text, or the input of a tool as JSON
	name   string // of a tool
	id     string // of a tool's call
	sign   string // of thinking
	tokens int
}

// compose makes up an answer of the length that the timing, the request and
// its header ask for.
func (x *exchange) compose(q *request, cached cachePlan) *answer {
	a := &answer{id: randomID("msg_01", x.rng), req: q, cache: cached, stop: "end_turn"}
	want := x.length()
	room := q.model.Context - q.total
	a.output = min(want, q.maxTokens, max(0, room))
	switch {
	case a.output == want:
	case a.output == q.maxTokens:
		a.stop = "max_tokens"
	default:
		a.stop = "model_context_window_exceeded"
	}
	if a.output == 0 {
		return a // the cache was warmed, nothing more
	}
	left := a.output
	if q.thinking > 0 && left > 1 {
		a.thought = max(1, min(left/3, q.thinking))
		left -= a.thought
		a.add(answerBlock{
			kind: "thinking", text: prose(x.rng, a.thought), tokens: a.thought,
			sign: randomID("Eq", x.rng) + randomID("", x.rng),
		})
	}
	if tool := q.calls(); tool != nil && a.stop == "end_turn" {
		x.call(a, tool, left)
		return a
	}
	text := prose(x.rng, left)
	if q.format != nil {
		text = string(invent(x.rng, q.format, 0))
	}
	a.add(a.cutAtStop(text, left))
	return a
}

func (a *answer) add(b answerBlock) { a.blocks = append(a.blocks, b) }

// cutAtStop ends the text at the first stop sequence in it.
func (a *answer) cutAtStop(text string, tokens int) answerBlock {
	at := len(text)
	for _, word := range a.req.stops {
		if i := strings.Index(text, word); i >= 0 && i < at {
			at, a.stop, a.stopWord = i, "stop_sequence", word
		}
	}
	if a.stopWord != "" {
		said := max(1, tokens*at/max(1, len(text)))
		a.output -= tokens - said
		tokens, text = said, text[:at]
	}
	return answerBlock{kind: "text", text: text, tokens: tokens}
}

// call adds a tool call, with a few words before it if the model was free.
func (x *exchange) call(a *answer, tool *value, left int) {
	if forced := a.req.choice == "any" || a.req.choice == "tool"; !forced && left > 2 {
		words := max(1, left/3)
		a.add(answerBlock{kind: "text", text: prose(x.rng, words), tokens: words})
		left -= words
	}
	a.stop = "tool_use"
	a.add(answerBlock{
		kind: "tool_use", name: tool.get("name").text(), id: randomID("toolu_01", x.rng),
		text: string(invent(x.rng, tool.get("input_schema"), 0)), tokens: left,
	})
}

// length draws how many tokens the model wants to say.
func (x *exchange) length() int {
	if n, err := strconv.Atoi(x.r.Header.Get("X-Sim-Output-Tokens")); err == nil && n > 0 {
		return n
	}
	o := x.config.Timing.Output
	n := float64(o.Median)
	if o.Sigma > 0 {
		n *= math.Exp(x.rng.NormFloat64() * o.Sigma)
	}
	if o.Max > 0 {
		n = min(n, float64(o.Max))
	}
	return max(1, int(min(n, 1e6)))
}

// calls returns the tool that the model will call, or nil: the one it is told
// to call, or one whose name the user mentions.
func (q *request) calls() *value {
	if len(q.tools) == 0 || q.choice == "none" {
		return nil
	}
	for _, t := range q.tools {
		name := t.get("name").text()
		switch {
		case q.choice == "tool" && name == q.toolName, q.choice == "any":
			return t
		case q.choice != "tool" && !q.toolAnswer && name != "" && strings.Contains(q.lastText, name):
			return t
		}
	}
	return nil
}

// invent makes a value that fits a JSON Schema: every required property, and
// something plausible for each.
func invent(rng *rand.Rand, schema *value, depth int) json.RawMessage {
	if depth > 8 {
		return json.RawMessage("null")
	}
	if options := schema.get("enum"); len(options.list) > 0 {
		return json.RawMessage(options.list[rng.IntN(len(options.list))].raw)
	}
	kind := schema.get("type").text()
	if kind == "" && len(schema.get("type").list) > 0 {
		kind = schema.get("type").list[0].text()
	}
	switch kind {
	case "string":
		return json.RawMessage(strconv.Quote(prose(rng, 3)))
	case "integer":
		return json.RawMessage(strconv.Itoa(rng.IntN(100)))
	case "number":
		return json.RawMessage(strconv.FormatFloat(float64(rng.IntN(1000))/10, 'f', -1, 64))
	case "boolean":
		return json.RawMessage(strconv.FormatBool(rng.IntN(2) == 0))
	case "null":
		return json.RawMessage("null")
	case "array":
		return json.RawMessage("[" + string(invent(rng, schema.get("items"), depth+1)) + "]")
	}
	return inventObject(rng, schema, depth)
}

func inventObject(rng *rand.Rand, schema *value, depth int) json.RawMessage {
	properties := schema.get("properties")
	parts := make([]string, 0, len(properties.keys))
	for i, key := range properties.keys {
		name, err := json.Marshal(key)
		if err != nil {
			continue // strings always marshal
		}
		parts = append(parts, string(name)+":"+string(invent(rng, &properties.list[i], depth+1)))
	}
	return json.RawMessage("{" + strings.Join(parts, ",") + "}")
}

// filler is what the models say: plain words without anything to escape.
const filler = "the river carries what the hills let go and the mill takes only its share of it " +
	"because a wheel that asks for all of the water stands still when the summer is dry " +
	"so the keeper of the weir counts the boards he lifts and writes down the height of the water " +
	"every morning and every evening and when the rain comes he opens early and not in haste " +
	"and those who live below him sleep without a thought of him which is how he likes it "

// prose returns text of about so many tokens, four and a half characters
// each, from a random place of the filler.
func prose(rng *rand.Rand, tokens int) string {
	at := rng.IntN(len(filler))
	at += strings.IndexByte(filler[at:], ' ') + 1
	n := max(2, tokens*9/2)
	var b strings.Builder
	b.Grow(n)
	for b.Len() < n {
		part := filler[at%len(filler):]
		b.WriteString(part[:min(len(part), n-b.Len())])
		at = 0
	}
	return b.String()
}

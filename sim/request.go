package sim

import (
	"fmt"
	"strings"
)

// The API versions: Anthropic docs, versions.
const (
	version2023 = "2023-06-01"
	version2026 = "2026-10-21"
)

// request is a checked request for /v1/messages or count_tokens.
type request struct {
	model      *model
	modelName  string // as asked for
	maxTokens  int
	stream     bool
	choice     string // auto, any, tool, none
	toolName   string // of choice tool
	tools      []*value
	blocks     []block // of tools, system and messages: the order of caching
	thinking   int     // budget in tokens; 0: off
	stops      []string
	format     *value // schema of output_config.format
	speed      string
	geo        string
	autoCache  *value // top-level cache_control
	lastText   string // of the last user message
	toolAnswer bool   // the last message brings a tool's result
	total      int    // input tokens, cached or not
	uncached   bool   // nothing is marked for caching
}

// block is a tool, a system text or a block of a message.
type block struct {
	node   *value
	path   string
	role   byte    // t, s, u or a: the same text in two roles is not the same
	cache  *value  // its cache_control
	extra  float64 // tokens around it
	tokens int
}

// knownFields are the top-level fields: Anthropic docs, Messages, and the
// fields of betas known in 2026.
const knownFields = " model max_tokens messages stream system tools tool_choice thinking metadata service_tier speed " +
	"inference_geo cache_control output_config container diagnostics stop_sequences thread billing_policy fallbacks " +
	"compaction context_management mcp_servers temperature top_p top_k "

// reader checks a body step by step and remembers the first thing wrong.
type reader struct {
	doc     *value
	version string
	count   bool // for count_tokens, which needs no max_tokens
	req     *request
	err     *apiError
}

// fail reports a bad request, unless one was reported before.
func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = invalid(fmt.Sprintf(format, args...))
	}
}

// readRequest parses and checks a body. Long because it is the list of checks.
func (s *Server) readRequest(body []byte, version string, rules Rules, count bool) (*request, *apiError) {
	doc, err := parseJSON(string(body))
	if err != nil {
		return nil, invalid("The request body is not valid JSON: " + err.Error())
	}
	if doc.kind != kindObject {
		return nil, invalid("Input should be a valid dictionary")
	}
	r := &reader{doc: &doc, version: version, count: count, req: &request{}}
	r.model(s.catalog, rules)
	r.limits()
	r.options()
	r.toolsAndChoice()
	r.system()
	r.messages()
	r.caching()
	if rules.RejectUnknown {
		for _, key := range doc.keys {
			if !strings.Contains(knownFields, " "+key+" ") {
				r.fail("%s: Extra inputs are not permitted", key)
			}
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	r.req.measure()
	return r.req, nil
}

func (r *reader) model(c *catalog, rules Rules) {
	v := r.doc.get("model")
	switch {
	case v.kind == 0:
		r.fail("model: Field required")
	case v.kind != kindString:
		r.fail("model: Input should be a valid string")
	case v.text() == "":
		r.fail("model: String should have at least 1 character")
	}
	m, ok := c.find(v.text())
	if r.err == nil && (!ok || m.Lifecycle == "retired" && !rules.ServeRetired) {
		r.err = &apiError{status: 404, kind: "not_found_error", message: "model: " + v.text()}
	}
	r.req.model, r.req.modelName = m, v.text()
}

func (r *reader) limits() {
	if v := r.doc.get("stream"); v.given() && v.kind != kindBool {
		r.fail("stream: Input should be a valid boolean")
	} else {
		r.req.stream = v.isTrue()
	}
	if r.count {
		return
	}
	v := r.doc.get("max_tokens")
	n, whole := v.integer()
	switch {
	case v.kind == 0:
		r.fail("max_tokens: Field required")
	case !whole:
		r.fail("max_tokens: Input should be a valid integer")
	case n < 0:
		r.fail("max_tokens: Input should be greater than or equal to 0")
	case n == 0 && (r.req.stream || r.doc.get("thinking").get("type").text() == "enabled"):
		r.fail("max_tokens: 0 is only allowed without streaming and thinking")
	case r.err == nil && n > int64(r.req.model.MaxOutput):
		r.fail("max_tokens: %d > %d, which is the maximum allowed number of output tokens for %s",
			n, r.req.model.MaxOutput, r.req.modelName)
	}
	r.req.maxTokens = int(n)
}

func (r *reader) options() {
	for _, key := range [...]string{"temperature", "top_p", "top_k"} {
		v := r.doc.get(key)
		switch {
		case !v.given():
		case r.version == version2026:
			r.fail("%s: Extra inputs are not permitted", key)
		case v.kind != kindNumber:
			r.fail("%s: Input should be a valid number", key)
		}
	}
	for i, v := range r.elements("stop_sequences") {
		if v.kind != kindString || strings.TrimSpace(v.text()) == "" {
			r.fail("stop_sequences.%d: each stop sequence must contain non-whitespace", i)
		}
		r.req.stops = append(r.req.stops, v.text())
	}
	r.oneOf("service_tier", "auto", "standard_only")
	r.req.speed = r.oneOf("speed", "standard", "fast")
	r.req.geo = r.doc.get("inference_geo").text()
	if f := r.doc.get("output_config").get("format"); f.get("type").text() == "json_schema" {
		r.req.format = f.get("schema")
	}
	r.thinking()
}

// elements returns the elements of an optional array.
func (r *reader) elements(key string) []value {
	v := r.doc.get(key)
	if v.given() && v.kind != kindArray {
		r.fail("%s: Input should be a valid list", key)
	}
	return v.list
}

// oneOf returns an optional string that must be one of words.
func (r *reader) oneOf(key string, words ...string) string {
	v := r.doc.get(key)
	if !v.given() {
		return ""
	}
	for _, w := range words {
		if v.text() == w {
			return w
		}
	}
	r.fail("%s: Input should be '%s'", key, strings.Join(words, "' or '"))
	return ""
}

func (r *reader) thinking() {
	v := r.doc.get("thinking")
	budget, whole := v.get("budget_tokens").integer()
	switch kind := v.get("type").text(); {
	case !v.given() || kind == "disabled":
	case kind == "adaptive":
		r.req.thinking = max(1024, r.req.maxTokens/2)
	case kind != "enabled":
		r.fail("thinking: Input tag '%s' found using 'type' does not match any of the expected tags: "+
			"'adaptive', 'disabled', 'enabled'", kind)
	case !whole:
		r.fail("thinking.enabled.budget_tokens: Field required")
	case budget < 1024:
		r.fail("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
	case !r.count && budget >= int64(r.req.maxTokens):
		r.fail("`max_tokens` must be greater than `thinking.budget_tokens`")
	default:
		r.req.thinking = int(budget)
	}
}

func (r *reader) toolsAndChoice() {
	for i, t := range r.elements("tools") {
		at := fmt.Sprintf("tools.%d", i)
		builtIn := t.get("type").given() && t.get("type").text() != "custom"
		switch {
		case t.kind != kindObject:
			r.fail("%s: Input should be a valid dictionary", at)
		case t.get("name").text() == "" && !builtIn:
			r.fail("%s.custom.name: Field required", at)
		case t.get("input_schema").kind != kindObject && !builtIn:
			r.fail("%s.custom.input_schema: Field required", at)
		}
		tool := &r.doc.get("tools").list[i]
		r.req.tools = append(r.req.tools, tool)
		r.add(tool, at, 't', toolOverhead)
	}
	c := r.doc.get("tool_choice")
	if !c.given() {
		return
	}
	r.req.choice = c.get("type").text()
	r.req.toolName = c.get("name").text()
	switch r.req.choice {
	case "auto", "any", "none":
	case "tool":
		if !r.hasTool(r.req.toolName) {
			r.fail("tool_choice.tool.name: Tool '%s' not found in provided tools", r.req.toolName)
		}
	default:
		r.fail("tool_choice: Input tag '%s' found using 'type' does not match any of the expected tags: "+
			"'auto', 'any', 'tool', 'none'", r.req.choice)
	}
	forced := r.req.choice == "any" || r.req.choice == "tool"
	if forced && len(r.req.tools) == 0 {
		r.fail("tool_choice: tool_choice may only be specified while providing tools")
	}
	if forced && r.req.thinking > 0 {
		r.fail("Thinking may not be enabled when tool_choice forces tool use.")
	}
}

func (r *reader) hasTool(name string) bool {
	for _, t := range r.req.tools {
		if t.get("name").text() == name {
			return true
		}
	}
	return false
}

func (r *reader) system() {
	v := r.doc.get("system")
	switch v.kind {
	case 0, kindNull:
	case kindString:
		if v.text() != "" {
			r.add(v, "system", 's', messageOverhead)
		}
	case kindArray:
		for i := range v.list {
			at := fmt.Sprintf("system.%d", i)
			if v.list[i].get("type").text() != "text" {
				r.fail("%s.type: Input should be 'text'", at)
			}
			r.nonEmpty(&v.list[i], "system")
			r.add(&v.list[i], at, 's', messageOverhead)
		}
	default:
		r.fail("system: Input should be a valid string or list")
	}
}

// add appends a block in the order of caching.
func (r *reader) add(v *value, path string, role byte, extra float64) {
	b := block{node: v, path: path, role: role, extra: extra}
	if c := v.get("cache_control"); c.given() {
		b.cache = c
	}
	r.req.blocks = append(r.req.blocks, b)
}

// nonEmpty checks a text block.
func (r *reader) nonEmpty(v *value, at string) {
	switch t := v.get("text"); {
	case v.get("type").text() != "text":
	case t.kind == 0:
		r.fail("%s: text: Field required", at)
	case t.kind != kindString:
		r.fail("%s: text: Input should be a valid string", at)
	case t.text() == "":
		r.fail("%s: text content blocks must be non-empty", at)
	}
}

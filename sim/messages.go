package sim

import (
	"slices"
	"strings"
)

// maxMessages is the bound on the length of a conversation.
const maxMessages = 100_000

// messages checks the conversation.
func (r *reader) messages() {
	v := r.doc.get("messages")
	switch {
	case v.kind == 0:
		r.fail("messages: Field required")
	case v.kind != kindArray:
		r.fail("messages: Input should be a valid list")
	case len(v.list) == 0:
		r.fail("messages: at least one message is required")
	case len(v.list) > maxMessages:
		r.fail("messages: at most %d messages are allowed", maxMessages)
	}
	var uses []string // tool_use ids of the message before
	for i := range v.list {
		if r.err != nil {
			return
		}
		uses = r.message(&v.list[i], i, uses)
	}
	if len(uses) > 0 {
		r.fail("messages.%d: `tool_use` ids were found without `tool_result` blocks immediately after: %s. "+
			"Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
			len(v.list)-1, strings.Join(uses, ", "))
	}
}

// message checks one message and returns the ids of its tool calls.
func (r *reader) message(m *value, i int, uses []string) []string {
	at := "messages." + itoa(i)
	role := m.get("role").text()
	content := m.get("content")
	switch {
	case m.kind != kindObject:
		r.fail("%s: Input should be a valid dictionary", at)
	case !m.get("role").given():
		r.fail("%s.role: Field required", at)
	case role == "system":
		r.fail("%s.role: Unexpected role \"system\". The Messages API accepts a top-level `system` parameter, "+
			"not \"system\" as an input message role.", at)
	case role != "user" && role != "assistant":
		r.fail("%s.role: Input should be 'user' or 'assistant'", at)
	case content.kind == 0:
		r.fail("%s.content: Field required", at)
	case content.kind == kindString:
		r.plain(content, at, role)
		return nil
	case content.kind != kindArray:
		r.fail("%s.content: Input should be a valid list", at)
	}
	if r.err != nil {
		return nil
	}
	c := &conversation{reader: r, role: role, uses: uses}
	for j := range content.list {
		c.block(&content.list[j], at+".content."+itoa(j), j)
	}
	r.req.toolAnswer = len(c.results) > 0
	if role == "user" {
		r.req.lastText = c.text
	}
	c.answered(at)
	return c.calls
}

// plain takes a message whose content is a string.
func (r *reader) plain(content *value, at, role string) {
	if content.text() == "" {
		r.fail("%s: all messages must have non-empty content except for the optional final assistant message", at)
	}
	r.add(content, at, role[0], messageOverhead)
	r.req.toolAnswer = false
	if role == "user" {
		r.req.lastText = content.text()
	}
}

// conversation is one message being checked block by block.
type conversation struct {
	*reader
	role    string
	uses    []string // calls that wait for their results
	results []string
	calls   []string
	text    string
}

func (c *conversation) block(b *value, at string, j int) {
	extra := 0.0
	if j == 0 {
		extra = messageOverhead
	}
	kind := b.get("type").text()
	switch kind {
	case "":
		c.fail("%s.type: Field required", at)
	case "text":
		c.nonEmpty(b, "messages")
		c.citations(b, at)
		c.text += b.get("text").text()
	case "image":
		c.image(b, at)
	case "document":
		if c.role == "assistant" && c.version == version2026 {
			c.fail("%s: document blocks are not permitted in assistant messages", at)
		}
		if !b.get("source").given() {
			c.fail("%s.document.source: Field required", at)
		}
	case "tool_use":
		if id := b.get("id"); id.text() == "" || b.get("name").text() == "" || b.get("input").kind != kindObject {
			c.fail("%s.tool_use: id, name and input are required", at)
		}
		c.calls = append(c.calls, b.get("id").text())
	case "tool_result":
		c.result(b, at)
	}
	c.add(b, at, c.role[0], extra)
}

// citations are the API's to write, not the user's: the newer version says so.
func (c *conversation) citations(b *value, at string) {
	list := b.get("citations")
	if c.role == "user" && c.version == version2026 && len(list.list) > 0 {
		c.fail("%s.text.citations: citations are not permitted in user messages", at)
	}
}

func (c *conversation) image(b *value, at string) {
	source := b.get("source")
	switch source.get("type").text() {
	case "base64":
		data := source.get("data").text()
		if !decodable(data) {
			c.fail("%s.image.source.base64: invalid base64 data", at)
		} else if _, _, ok := imageSize(data); !ok {
			c.fail("Could not process image")
		}
	case "url", "file":
	default:
		c.fail("%s.image.source: Field required", at)
	}
}

func (c *conversation) result(b *value, at string) {
	id := b.get("tool_use_id").text()
	if !slices.Contains(c.uses, id) {
		c.fail("%s: unexpected `tool_use_id` found in `tool_result` blocks: %s. Each `tool_result` block must have "+
			"a corresponding `tool_use` block in the previous message.", at, id)
	}
	c.results = append(c.results, id)
}

// answered checks that every call of the message before has its result.
func (c *conversation) answered(at string) {
	for _, id := range c.uses {
		if !slices.Contains(c.results, id) {
			c.fail("%s: `tool_use` ids were found without `tool_result` blocks immediately after: %s. Each `tool_use` "+
				"block must have a corresponding `tool_result` block in the next message.", at, id)
		}
	}
}

// caching checks the cache_control marks.
func (r *reader) caching() {
	marks, short := 0, false
	for i := range r.req.blocks {
		c := r.req.blocks[i].cache
		if c == nil {
			continue
		}
		marks++
		if c.get("type").text() != "ephemeral" {
			r.fail("%s.cache_control.type: Input should be 'ephemeral'", r.req.blocks[i].path)
		}
		switch c.get("ttl").text() {
		case "", "5m":
			short = true
		case "1h":
			if short {
				r.fail("%s.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "+
					"cache_control block. Note that blocks are processed in the following order: `tools`, `system`, "+
					"`messages`.", r.req.blocks[i].path)
			}
		default:
			r.fail("%s.cache_control.ttl: Input should be '5m' or '1h'", r.req.blocks[i].path)
		}
	}
	if top := r.doc.get("cache_control"); top.given() {
		marks++
		r.req.autoCache = top
	}
	if marks > 4 {
		r.fail("A maximum of 4 blocks with cache_control may be provided. Found %d.", marks)
	}
	r.req.uncached = marks == 0
}

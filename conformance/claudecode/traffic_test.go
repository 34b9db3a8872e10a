package claudecode

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

const (
	model   = "claude-sonnet-5"
	session = "5b0c1d7e-3f6a-4c1e-9a52-7d1f0e6b8c43"
)

// betas is an open list: the last one is known to nobody.
var betas = []string{
	"claude-code-20250219", "interleaved-thinking-2025-05-14", "context-management-2025-06-27",
	"prompt-caching-scope-2026-01-05", "fine-grained-tool-streaming-2025-05-14", "effort-2025-11-24",
	"advanced-tool-use-2025-11-20", "compact-2026-01-12", "unheard-of-2031-12-24",
}

// headers is the head of a request, its two credentials included: a helper
// that fetches keys puts them into both.
func headers(key string, betas []string, retry int) http.Header {
	h := http.Header{}
	credentials := map[string]string{"Authorization": "Bearer " + key, "X-Api-Key": key}
	if key == "" {
		credentials = nil
	}
	for name, value := range credentials {
		h.Set(name, value)
	}
	for name, value := range map[string]string{
		"Accept":         "application/json",
		"Content-Type":   "application/json",
		"User-Agent":     "claude-cli/2.1.330 (external, sdk-cli)",
		"X-App":          "cli",
		"Anthropic-Beta": strings.Join(betas, ","),
		"Anthropic-Dangerous-Direct-Browser-Access": "true",
		"Anthropic-Version":                         "2023-06-01",
		"Anthropic-Unheard-Of":                      "a header of tomorrow",
		"X-Claude-Code-Session-Id":                  session,
		"X-Stainless-Arch":                          "x64",
		"X-Stainless-Lang":                          "js",
		"X-Stainless-Os":                            "Linux",
		"X-Stainless-Package-Version":               "1.12.0",
		"X-Stainless-Retry-Count":                   strconv.Itoa(retry),
		"X-Stainless-Runtime":                       "node",
		"X-Stainless-Runtime-Version":               "v24.3.0",
		"X-Stainless-Timeout":                       "600",
	} {
		h.Set(name, value)
	}
	return h
}

// request is the body of "say hi", about 49 KB: a system array whose first
// block must stay first, two dozen tools, fields that no gateway knows, and
// white space, escapes and numbers that a re-encoding would change.
func request(stream bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"model":%q,  "max_tokens":128000,"stream":%t,`, model, stream)
	fmt.Fprintf(&b, `"metadata":{"user_id":"{\"device_id\":\"d1\",\"account_uuid\":\"\",\"session_id\":%s}"},`, `\"`+session+`\"`)
	b.WriteString(`"thinking":{"type":"adaptive"},"output_config":{"effort":"medium"},` +
		`"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},` +
		`"a_field_of_tomorrow":{"float":1.50e+02,"big":12345678901234567890,"nul":null,"empty":{}},` + "\n\t" +
		`"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.330; cc_entrypoint=sdk-cli;"},` +
		`{"type":"text","text":"You are Claude Code\u2014a \u0043LI. \/ \ud83d\ude00 ` + strings.Repeat(`Work with care.\n`, 400) + `","cache_control":{"type":"ephemeral","ttl":"1h"}}],"tools":[`)
	for i := range 24 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"Tool%02d","description":%q,"input_schema":{"$schema":"https://json-schema.org/draft/2020-12/schema",`+
			`"type":"object","properties":{"path":{"type":"string","description":%q}},"required":["path"],"additionalProperties":false}}`,
			i, strings.Repeat("Reads, writes or searches what the path names. ", 24), strings.Repeat("An absolute path. ", 18))
	}
	b.WriteString(`],"messages":[{"role":"user","content":[{"type":"text","text":"<system-reminder>今天是星期一。</system-reminder>"},` +
		`{"type":"text","text":"say hi","cache_control":{"type":"ephemeral"}}]}]}`)
	return b.Bytes()
}

package weir_test

import (
	"fmt"
	"net/http"
	"strings"

	"pgregory.net/rapid"
)

// Generators of what clients and the API may send. They write text, not
// values, so that every spelling of JSON and of events occurs.

var (
	genSpace  = rapid.SampledFrom([]string{"", "", "", " ", "\n", "\t ", "\r\n"})
	genNumber = rapid.OneOf(
		rapid.SampledFrom([]string{"0", "-0", "1e400", "-1E-7", "0.10", "123456789012345678901234567890", "1.0000000000000000000001", "9007199254740993"}),
		rapid.Map(rapid.Int64(), func(n int64) string { return fmt.Sprint(n) }),
	)
	genString = rapid.Map(rapid.SliceOfN(rapid.OneOf(
		rapid.SampledFrom([]string{`\"`, `\\`, `\/`, `\b`, `\n`, `\u0000`, `\u00e9`, `\uD83D\uDE00`, "é", "中文", "😀", "\u2028", "\x7f", "data: ", "}"}),
		rapid.StringMatching(`[a-zA-Z0-9 :,{}\[\]<>&']{0,12}`),
	), 0, 8), func(parts []string) string { return `"` + strings.Join(parts, "") + `"` })
)

// genJSON writes one JSON value, nested up to depth.
func genJSON(t *rapid.T, depth int) string {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 {
		kind %= 4
	}
	switch kind {
	case 0:
		return genNumber.Draw(t, "number")
	case 1, 2:
		return genString.Draw(t, "string")
	case 3:
		return rapid.SampledFrom([]string{"true", "false", "null", "{}", "[ ]"}).Draw(t, "word")
	case 4:
		var items []string
		for range rapid.IntRange(0, 4).Draw(t, "items") {
			items = append(items, spaced(t, genJSON(t, depth-1)))
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return genObject(t, depth, nil)
}

// genObject writes an object with the given members among unknown ones.
func genObject(t *rapid.T, depth int, known []string) string {
	members := make([]string, 0, len(known)+4)
	for _, m := range known {
		members = append(members, spaced(t, m))
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "members") {
		name := genString.Draw(t, "name")
		name = fmt.Sprintf("%s~%d\"", name[:len(name)-1], i) // names are unique
		members = append(members, spaced(t, name)+":"+spaced(t, genJSON(t, max(0, depth-1))))
	}
	return "{" + strings.Join(rapid.Permutation(members).Draw(t, "order"), ",") + "}"
}

func spaced(t *rapid.T, s string) string {
	return genSpace.Draw(t, "before") + s + genSpace.Draw(t, "behind")
}

// genRequest writes a request to the Messages API.
func genRequest(t *rapid.T, stream bool) string {
	content := genString.Draw(t, "content")
	if rapid.Bool().Draw(t, "blocks") {
		content = "[" + genObject(t, 2, []string{`"type":"text"`, `"text":` + content}) + "]"
	}
	return spaced(t, genObject(t, 3, []string{
		`"model" : "claude-haiku-4-5"`, `"max_tokens":64`, fmt.Sprintf(`"stream":%v`, stream),
		`"messages":[` + genObject(t, 2, []string{`"role":"user"`, `"content":` + content}) + `]`,
	}))
}

// genHeader draws unknown headers; the spelling of their names is random.
func genHeader(t *rapid.T) http.Header {
	h := http.Header{}
	for i := range rapid.IntRange(0, 6).Draw(t, "headers") {
		name := rapid.StringMatching(`[xX]-[a-zA-Z0-9_.!~'-]{0,12}`).Draw(t, "name") + fmt.Sprint(i)
		values := rapid.SliceOfN(rapid.StringMatching(`[!-~é]([ -~\t中]{0,20}[!-~])?|`), 1, 3).Draw(t, "values")
		h[name] = values
	}
	return h
}

// genTarget draws a path behind the prefix, and a query, oddly escaped.
func genTarget(t *rapid.T, prefix string) string {
	target := prefix
	if strings.HasSuffix(prefix, "/") {
		target += rapid.StringMatching(`([a-z]{1,8}|%2[fF]|%41|%[eE]4|[~!$&'()*+,;=:@|^"<{}\[\]-]|//?|\.\./){1,8}`).Draw(t, "path")
	}
	return target + rapid.StringMatching(`(\?([a-z0-9=&;+%"<>|{}/?:@é-]|%zz|%20){0,12})?`).Draw(t, "query")
}

// genStream writes a stream of events that is complete, in any line ends, with
// unknown events, comments and lines as the specification allows them.
func genStream(t *rapid.T) string {
	var b strings.Builder
	end := "\n"
	line := func(text string) { b.WriteString(text + end) }
	odd := func() {
		switch rapid.IntRange(0, 6).Draw(t, "odd") {
		case 0:
			line(": " + rapid.StringMatching(`[a-z :]{0,20}`).Draw(t, "comment"))
		case 1:
			line("id" + rapid.StringMatching(`(: ?[a-z0-9]{0,4})?`).Draw(t, "id"))
		case 2:
			line("event: ping")
			line(`data: {"type": "ping"}`)
			line("")
		case 3:
			line("event:" + rapid.StringMatching(`[ a-z_]{0,12}x`).Draw(t, "unknown"))
			for range rapid.IntRange(0, 3).Draw(t, "lines") {
				line("data:" + rapid.StringMatching(`[ -~é中]{0,40}`).Draw(t, "data"))
			}
			line("")
		case 4:
			size := rapid.IntRange(0, 200_000).Draw(t, "size")
			line("data: " + strings.Repeat("x", size))
			line("")
		case 5:
			line("")
		}
	}
	for event := range strings.SplitSeq(strings.TrimSuffix(events, "\n\n"), "\n\n") {
		end = rapid.SampledFrom([]string{"\n", "\r\n", "\r"}).Draw(t, "end")
		odd()
		if strings.HasPrefix(event, "event: message_stop") {
			line("") // what came before is whole
		}
		for text := range strings.SplitSeq(event, "\n") {
			line(text)
		}
		line("")
	}
	return b.String()
}

// genCuts splits text at random places.
func genCuts(t *rapid.T, text string) []string {
	var parts []string
	for len(text) > 0 && len(parts) < 40 {
		n := rapid.OneOf(rapid.IntRange(1, min(len(text), 8)), rapid.IntRange(1, len(text))).Draw(t, "cut")
		parts = append(parts, text[:n])
		text = text[n:]
	}
	return append(parts, text)
}

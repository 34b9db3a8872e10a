package split

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/message"
)

// obstacle is why a request cannot be split.
type obstacle int

const (
	nothing     obstacle = iota
	tools                // they are in use: each answer may call for another step
	noText               // no text of a user's is long enough
	tooMuchElse          // there is no room beside what is no text
)

// say puts an obstacle into words.
func (o obstacle) say(lang string) string {
	return pick(lang, map[obstacle][2]string{
		tools: {
			"requests with tools, MCP servers or a container are never answered in parts. Shorten the conversation, or send the text without tools.",
			"带有工具、MCP 服务器或容器的请求不会分段作答。请缩短对话，或者不带工具发送文本。",
		},
		noText: {
			"it has no text that could be cut: system prompts, images and PDF files are sent whole. Extract the text of a PDF, for example with pdftotext, and send that as a text or a text document.",
			"其中没有可以切开的文本：系统提示、图片和 PDF 文件只能整体发送。请先提取 PDF 的文字（例如用 pdftotext），再作为文本或文本文档发送。",
		},
		tooMuchElse: {
			"what cannot be cut (the system prompt, images, PDF files, short texts) leaves no room for a part of the text. Extract the text of a PDF, for example with pdftotext, and send that as a text or a text document; leave images out or make them smaller.",
			"不能切开的内容（系统提示、图片、PDF 文件、短文本）已经没有给文本留下位置。请先提取 PDF 的文字（例如用 pdftotext），再作为文本或文本文档发送；图片请去掉或缩小。",
		},
	}[o])
}

// noConcat refuses to put the answers of a form one behind the other.
func noConcat(lang string) string {
	return pick(lang, [2]string{
		"weir-split: the request asks for an answer in a form that programs read, and such answers cannot be put one behind the other; say merge=reduce or merge=list",
		"weir-split：请求要求结构化输出，这样的回答不能首尾相接；请改用 merge=reduce 或 merge=list",
	})
}

// tooMany refuses a text of more parts than the operator allows.
func tooMany(lang string, parts, most int) string {
	return fmt.Sprintf(pick(lang, [2]string{
		"weir-split: the text would make %d parts, and this gateway allows %d (split.max_parts)",
		"weir-split：文本需要分成 %d 段，而本网关最多允许 %d 段（split.max_parts）",
	}), parts, most)
}

// partNote tells the model that it sees a part.
func partNote(lang string, n, of int) string {
	return fmt.Sprintf(pick(lang, [2]string{
		"(The text is too long for one request. This is part %d of %d: answer for this part alone.)\n\n",
		"（全文过长，以下是第 %d 部分，共 %d 部分。请只针对这一部分作答。）\n\n",
	}), n, of)
}

// leftOut stands where another text is that is cut as well.
func leftOut(lang string) string {
	return pick(lang, [2]string{"(This text is too long for one request. Other parts show it.)", "（这篇文本过长，由其他部分给出。）"})
}

// reduceNote tells the model what it sees in place of the text.
func reduceNote(lang string, n int) string {
	return fmt.Sprintf(pick(lang, [2]string{
		"(The text is too long for one request, so that each of %d parts of it was answered alone. These are the answers in order: make one answer for the whole text of them.)\n\n",
		"（全文过长，已分为 %d 部分分别作答。下面依次是各部分的答复，请据此对全文给出一个完整的答复。）\n\n",
	}), n)
}

func pick(lang string, texts [2]string) string {
	if lang == "zh" {
		return texts[1]
	}
	return texts[0]
}

// maxError bounds the error answers that are read.
const maxError = 1 << 20

// refusedAsTooLong reports whether an answer says that a request is too long. It
// can still be read.
func refusedAsTooLong(resp *http.Response) bool {
	if resp == nil || resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusRequestEntityTooLarge {
		return false
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(raw), resp.Body), resp.Body}
	if err != nil || resp.StatusCode == http.StatusRequestEntityTooLarge {
		return err == nil
	}
	said := string(raw)
	return strings.Contains(said, "prompt is too long") || strings.Contains(said, "exceed context limit")
}

// explain adds to what a request that is too long was told why it was not split.
func (j *job) explain(resp *http.Response, err error, why obstacle) (*http.Response, error) {
	if no, ok := errors.AsType[*call.Refusal](err); ok {
		told := *no
		told.Detail = why.say(j.call.Lang)
		return nil, &told
	}
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // it was read
	if err != nil {
		return nil, &call.Refusal{Reason: call.UpstreamDown, Cause: err}
	}
	if more, err := addWords(raw, " weir-split: "+why.say(j.call.Lang)); err == nil {
		raw = more
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return resp, nil
}

// addWords adds to the message of an error.
func addWords(body []byte, more string) ([]byte, error) {
	inner, err := message.Get(body, "error")
	if err != nil {
		return nil, err
	}
	var said struct{ Message string }
	if err := json.Unmarshal(inner, &said); err != nil {
		return nil, err
	}
	text, err := json.Marshal(said.Message + more)
	if err != nil {
		return nil, err
	}
	if inner, err = message.Set(inner, "message", text); err != nil {
		return nil, err
	}
	return message.Set(body, "error", inner)
}

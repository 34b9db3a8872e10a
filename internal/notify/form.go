package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/weir-gateway/weir/call"
)

// Form is the shape of a hook's messages.
type Form string

// The forms. The secret signs JSON by the header weir-signature, see [Sign],
// and Feishu's and DingTalk's messages in their own ways. Slack and WeCom know
// no signature.
const (
	JSON     Form = "json"
	Slack    Form = "slack"
	Feishu   Form = "feishu"
	DingTalk Form = "dingtalk"
	WeCom    Form = "wecom"
)

// capacity is how many bytes of text a message of each form holds, with a reserve
// for its shape: WeCom takes 2,048 bytes, the others more than anybody reads.
var capacity = map[Form]int{JSON: 1 << 20, Slack: 8000, Feishu: 8000, DingTalk: 8000, WeCom: 1900}

func (f Form) known() bool { return capacity[f] > 0 }

// message is one post before it is signed.
type message struct {
	id   string
	text string          // of the chat forms
	body json.RawMessage // of the JSON form
}

// told is one event in the JSON form.
type told struct {
	Event   string       `json:"event"` // raised or cleared
	Warning call.Warning `json:"warning"`
	Text    textPart     `json:"text"`
}

type textPart struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// compose writes a message of as many of the events as fit into one, at least
// of the first, and returns how many they are.
func (n *Notifier) compose(spec *Hook, batch []event) (m message, taken int) {
	m.id = newID()
	var lines strings.Builder
	var events []told
	hint := ""
	for i, e := range batch {
		t := told{Event: "raised", Warning: e.warning}
		level := n.book.Level(spec.Lang, e.warning.Level)
		if e.cleared {
			t.Event, t.Text.Message = "cleared", n.book.Cleared(spec.Lang, e.warning)
			level = n.book.Over(spec.Lang)
		} else {
			text := n.book.Warning(spec.Lang, e.warning)
			t.Text = textPart{text.Message, text.Hint}
		}
		line := "[Weir] " + level + ": " + t.Text.Message + "\n"
		if t.Text.Hint != hint && t.Text.Hint != "" {
			line += "→ " + t.Text.Hint + "\n"
		}
		if i > 0 && lines.Len()+len(line) > capacity[spec.Form] {
			break
		}
		lines.WriteString(line)
		events, hint, taken = append(events, t), t.Text.Hint, i+1
	}
	m.text = plain(lines.String(), capacity[spec.Form])
	m.body, _ = json.Marshal(map[string]any{ // strings and numbers only: it cannot fail
		"source": "weir", "at": time.Now().UTC(), "delivery": m.id, "events": events,
	})
	return m, taken
}

// plain keeps names that callers chose from meaning anything to a chat service:
// no tags, no control characters. What is too long is cut.
func plain(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '<':
			return '‹'
		case r == '>':
			return '›'
		case r != '\n' && unicode.IsControl(r):
			return ' '
		}
		return r
	}, strings.TrimSuffix(text, "\n"))
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

// request builds and signs one try.
func (m message) request(ctx context.Context, spec *Hook, now time.Time) (*http.Request, error) {
	address, body := spec.URL.Reveal(), []byte(m.body)
	secret := spec.Secret.Reveal()
	var shape any
	switch spec.Form {
	case Slack:
		shape = map[string]string{"text": strings.ReplaceAll(m.text, "&", "&amp;")}
	case Feishu:
		fields := map[string]any{"msg_type": "text", "content": map[string]string{"text": m.text}}
		if secret != "" {
			fields["timestamp"], fields["sign"] = signFeishu(secret, now)
		}
		shape = fields
	case DingTalk, WeCom:
		shape = map[string]any{"msgtype": "text", "text": map[string]string{"content": m.text}}
	}
	if shape != nil {
		body, _ = json.Marshal(shape) // strings only: it cannot fail
	}
	if spec.Form == DingTalk && secret != "" {
		u, err := url.Parse(address)
		if err != nil {
			return nil, err
		}
		at, sign := signDingTalk(secret, now)
		query := u.Query()
		query.Set("timestamp", at)
		query.Set("sign", sign)
		u.RawQuery = query.Encode()
		address = u.String()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "weir")
	if spec.Form == JSON {
		req.Header.Set("Weir-Delivery", m.id)
		if secret != "" {
			req.Header.Set("Weir-Signature", Sign(secret, now, body))
		}
	}
	return req, nil
}

// Sign returns the value of the header weir-signature, t=UNIX,v1=HEX: the
// seconds at which the try was made, and the HMAC-SHA256 under the secret of
// those digits, a dot, and the body's bytes. Whoever takes messages should
// compare in constant time, and refuse a t that is more than minutes off.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(digest(secret, t+"."+string(body)))
}

// signFeishu signs in Feishu's way: seconds and secret are the key, and the
// message is empty.
func signFeishu(secret string, at time.Time) (timestamp, sign string) {
	timestamp = strconv.FormatInt(at.Unix(), 10)
	return timestamp, base64.StdEncoding.EncodeToString(digest(timestamp+"\n"+secret, ""))
}

// signDingTalk signs in DingTalk's way: the secret is the key, and milliseconds
// and secret are the message.
func signDingTalk(secret string, at time.Time) (timestamp, sign string) {
	timestamp = strconv.FormatInt(at.UnixMilli(), 10)
	return timestamp, base64.StdEncoding.EncodeToString(digest(secret, timestamp+"\n"+secret))
}

func digest(key, text string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

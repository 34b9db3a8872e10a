package notify

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/words"
)

// TestSignatures: the values were computed by Python's hmac module and by
// openssl dgst.
func TestSignatures(t *testing.T) {
	const secret = "SEC-this is secret"
	at := time.UnixMilli(1732529000123)
	if stamp, sign := signFeishu(secret, at); stamp != "1732529000" || sign != "f15GUG9HL5GILDt6YR6Sve7wkMDe0G+/ckUTMrwbWPU=" {
		t.Errorf("Feishu: %s %s", stamp, sign)
	}
	if stamp, sign := signDingTalk(secret, at); stamp != "1732529000123" || sign != "QdisQzpPU1WnHoJzMpOVvYOSKWhrPEr7jMvt5wQpG08=" {
		t.Errorf("DingTalk: %s %s", stamp, sign)
	}
	const want = "t=1732529000,v1=3b414780ef3bcd67b71a0764f04c9bc545e81c0055f78c73f64cf7a9f09794f4"
	if got := Sign(secret, at, []byte(`{"a":"é"}`)); got != want {
		t.Errorf("JSON: %s", got)
	}
}

// low is a warning of one bucket.
func low(group string, level call.WarningLevel) call.Warning {
	left := 0.08
	return call.Warning{
		ID: "quota/org//" + group + "/input_tokens", Kind: call.QuotaLow, Level: level,
		Organization: "org", Group: group, Limiter: "input_tokens", Threshold: 10, Left: &left,
	}
}

// TestShapes: what goes over the wire in each form.
func TestShapes(t *testing.T) {
	n := &Notifier{book: words.New()}
	batch := []event{{low("claude-<at user_id=\"all\">&x\x07", call.Urgent), false}, {low("b", call.Critical), true}}
	for form, want := range map[Form][]string{
		JSON:     {`"source":"weir"`, `"event":"raised"`, `"event":"cleared"`, `"level":"warning"`, `"hint":"Nothing fails`},
		Slack:    {`{"text":"[Weir] Warning: claude-‹at user_id=\"all\"›&x : the quota`, `\n→ Nothing fails`, `\n[Weir] Over: b: the quota for input tokens per minute is no longer short."}`},
		Feishu:   {`"msg_type":"text"`, `"content":{"text":"[Weir] Warning: claude-‹at`, `"timestamp":"1732529000"`, `"sign":"`},
		DingTalk: {`{"msgtype":"text","text":{"content":"[Weir] Warning: claude-‹at`},
		WeCom:    {`{"msgtype":"text","text":{"content":"[Weir] Warning: claude-‹at`},
	} {
		spec := &Hook{Form: form, URL: call.NewSecret("https://hook.example/x?access_token=T"), Secret: call.NewSecret("s")}
		m, taken := n.compose(spec, batch)
		req, err := m.request(t.Context(), spec, time.Unix(1732529000, 0))
		if err != nil || taken != 2 {
			t.Fatal(err, taken)
		}
		raw, _ := io.ReadAll(req.Body)
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("%s: %v in %s", form, err, raw)
		}
		text := strings.NewReplacer(`\u0026amp;`, "&", `\u0026`, "&").Replace(string(raw))
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %s in %s", form, part, text)
			}
		}
		query := req.URL.Query()
		if signed := query.Get("sign") != "" && query.Get("timestamp") == "1732529000000"; signed != (form == DingTalk) || query.Get("access_token") != "T" {
			t.Errorf("%s: %s", form, req.URL)
		}
		if got := req.Header.Get("Weir-Signature"); got != "" != (form == JSON) || form == JSON && got != Sign("s", time.Unix(1732529000, 0), raw) {
			t.Errorf("%s: signature %q", form, got)
		}
	}
}

// TestCapacity: what does not fit goes into another message, and every text
// stays whole UTF-8 within its bound.
func TestCapacity(t *testing.T) {
	n := &Notifier{book: words.New()}
	var batch []event
	for i := range 20 {
		batch = append(batch, event{low(fmt.Sprint("claude-sonnet-", i), call.Urgent), false})
	}
	spec, posts := &Hook{Form: WeCom, Lang: "zh"}, 0
	for rest := batch; len(rest) > 0; posts++ {
		m, taken := n.compose(spec, rest)
		if taken == 0 || len(m.text) > 2048 || !utf8.ValidString(m.text) {
			t.Fatalf("%d events in %d bytes", taken, len(m.text))
		}
		rest = rest[taken:]
	}
	if posts < 2 || posts > 4 {
		t.Errorf("20 warnings took %d messages", posts)
	}
	m, taken := n.compose(spec, []event{{low(strings.Repeat("长", 3000), call.Urgent), false}})
	if taken != 1 || len(m.text) > 2048 || !utf8.ValidString(m.text) || !strings.HasSuffix(m.text, "…") {
		t.Errorf("%d, %d bytes, %q", taken, len(m.text), m.text[len(m.text)-10:])
	}
}

func TestJudge(t *testing.T) {
	for name, tc := range map[string]struct {
		form   Form
		status int
		body   string
		want   outcome
	}{
		"slack":            {Slack, 200, "ok", sent},
		"slack-gone":       {Slack, 404, "no_service", refused},
		"json-created":     {JSON, 201, "", sent},
		"redirect":         {JSON, 302, "", refused},
		"busy":             {JSON, 429, "", retried},
		"down":             {JSON, 503, "", retried},
		"feishu":           {Feishu, 200, `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`, sent},
		"feishu-signature": {Feishu, 200, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`, refused},
		"feishu-busy":      {Feishu, 400, `{"code":9499,"msg":"too many request"}`, retried},
		"dingtalk":         {DingTalk, 200, `{"errcode":0,"errmsg":"ok"}`, sent},
		"dingtalk-keyword": {DingTalk, 200, `{"errcode":310000,"errmsg":"keywords not in content"}`, refused},
		"dingtalk-busy":    {DingTalk, 200, `{"errcode":130101,"errmsg":"send too fast"}`, retried},
		"wecom":            {WeCom, 200, `{"errcode":0,"errmsg":"ok"}`, sent},
		"wecom-key":        {WeCom, 200, `{"errcode":93000,"errmsg":"invalid webhook url"}`, refused},
		"not-the-service":  {WeCom, 200, `<html>`, refused},
	} {
		got := tc.form.judge(&http.Response{StatusCode: tc.status, Header: http.Header{}}, []byte(tc.body))
		if got.outcome != tc.want {
			t.Errorf("%s: %v (%s), want %v", name, got.outcome, got.cause, tc.want)
		}
	}
}

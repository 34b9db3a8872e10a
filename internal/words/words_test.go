package words_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/words"
)

// messages reads a language's file as a flat map of its strings.
func messages(t *testing.T, lang string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]map[string]any
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	flat := map[string]string{}
	for group, entries := range file {
		for name, value := range entries {
			switch value := value.(type) {
			case string:
				flat[group+"."+name] = value
			case map[string]any: // plural forms: those that a language needs differ
				flat[group+"."+name] = value["other"].(string)
			}
		}
	}
	return flat
}

var blank = regexp.MustCompile(`\{\{\.\w+\}\}`)

func TestBothLanguagesSayTheSame(t *testing.T) {
	en, zh := messages(t, "en"), messages(t, "zh")
	ids := slices.Sorted(maps.Keys(en))
	if other := slices.Sorted(maps.Keys(zh)); !slices.Equal(ids, other) {
		t.Fatalf("messages in English: %v\nin Chinese: %v", ids, other)
	}
	for _, id := range ids {
		text, other := en[id], zh[id]
		if other == "" || text == "" {
			t.Errorf("%s: English %q, Chinese %q", id, text, other)
			continue
		}
		want, got := blank.FindAllString(text, -1), blank.FindAllString(other, -1)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s: blanks %v in English, %v in Chinese", id, want, got)
		}
		if id != "part.date_layout" && !strings.ContainsFunc(other, isHan) {
			t.Errorf("%s: %q is not Chinese", id, other)
		}
	}
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

// refusals are those of every reason after every verdict.
func refusals() []*call.Refusal {
	var all []*call.Refusal
	for reason := call.Malformed; reason <= call.InternalFailure; reason++ {
		for kind := call.OK; kind <= call.Unreachable; kind++ {
			for _, code := range []string{"", "contract_spend_limit_reached", "organization_on_hold"} {
				for _, workspace := range []bool{false, true} {
					all = append(all, &call.Refusal{
						Reason: reason, Detail: "detail", Limiter: call.OutputTokens, Need: 50_000,
						Verdict: call.Verdict{Kind: kind, Code: code, Workspace: workspace},
					})
				}
			}
		}
	}
	return all
}

func TestEveryRefusalHasWords(t *testing.T) {
	b := words.New()
	said := map[string]bool{}
	for _, r := range refusals() {
		for _, lang := range []string{"en", "zh", "", "fr"} {
			text := b.Refusal(lang, r)
			for _, s := range []string{text.Message, text.Hint} {
				said[lang+s] = true
				if s == "" || strings.Contains(s, "no value") || strings.Contains(s, "{{") {
					t.Errorf("%v, %v, %q: said %q", r.Reason, r.Verdict.Kind, lang, s)
				}
				if lang == "zh" != strings.ContainsFunc(s, isHan) {
					t.Errorf("%v, %v, %q: %q is in the wrong language", r.Reason, r.Verdict.Kind, lang, s)
				}
			}
		}
	}
	if len(said) < 60 {
		t.Errorf("only %d different texts", len(said))
	}
}

// TestDetails: what rooms say in English is said in Chinese too, and unchanged
// in English; what is not known stays as it is.
func TestDetails(t *testing.T) {
	b := words.New()
	for en, zh := range map[string]string{
		"the request has no body; a JSON object is needed":                                      "请求没有正文，这里需要一个 JSON 对象",
		"the body is over 32 MiB, the upstream's limit for this endpoint":                       "正文超过了 32 MiB，这是上游对这个接口的限制",
		"the batch is over 32 MiB, as much as is read for a caller who may not use every model": "批次超过了 32 MiB，对只能使用部分模型的调用方，网关最多读这么大",
		`weir-class must be interactive, normal or batch, not "fast"`:                           `weir-class 只能是 interactive、normal 或 batch，不能是 "fast"`,
		`weir-max-wait must be a duration such as 90s or 2m, not "long"`:                        `weir-max-wait 应该是 90s、2m 这样的时长，不能是 "long"`,
		`weir-cache must be off, read, write or on, not "yes"`:                                  `weir-cache 只能是 off、read、write 或 on，不能是 "yes"`,
		`weir-degrade must be off or allow, not "yes"`:                                          `weir-degrade 只能是 off 或 allow，不能是 "yes"`,
		`weir-split must be off or auto, not "yes"`:                                             `weir-split 只能是 off 或 auto，不能是 "yes"`,
		`weir-split may say merge=reduce, merge=concat or merge=list, not "auto; merge=x"`:      `weir-split 里可以写 merge=reduce、merge=concat 或 merge=list，不能写 "auto; merge=x"`,
		"no such path: /v2": "没有 /v2 这个路径",
		`model: Field required (a string such as "claude-haiku-4-5")`:                 `缺少 model 字段（应该是一个字符串，例如 "claude-haiku-4-5"）`,
		"the body is not valid JSON: it ends too early":                               "正文不是有效的 JSON：没有写完就结束了",
		"the body is not valid JSON: it ends too early (at byte 20, in /model)":       "正文不是有效的 JSON：没有写完就结束了（第 20 个字节处，位于 /model）",
		"the body is not valid JSON: invalid character 'x' after object (at byte 12)": "正文不是有效的 JSON：invalid character 'x' after object（第 12 个字节处）",
		"the body must be one JSON object with nothing behind it":                     "正文必须是单独一个 JSON 对象，后面不能再有别的内容",
		"stream must be true or false":                                                "stream 只能是 true 或 false",
		"model must be a string":                                                      "model 必须是字符串",
		"something new":                                                               "something new",
		"no such path: /{{.Path}}":                                                    "没有 /{{.Path}} 这个路径",
	} {
		r := &call.Refusal{Reason: call.Malformed, Detail: en}
		if got := b.Refusal("en", r).Message; got != en {
			t.Errorf("in English, %q became %q", en, got)
		}
		if got := b.Refusal("zh", r).Message; got != "这个请求的写法有误："+zh {
			t.Errorf("%q became %q, want %q", en, got, zh)
		}
	}
}

func TestWording(t *testing.T) {
	december := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	late := call.Refusal{Reason: call.TimedOut, Limiter: call.InputTokens, Waited: 90 * time.Second, RetryIn: 35 * time.Second}
	again := func(in time.Duration) call.Refusal { return call.Refusal{Reason: call.UpstreamDown, RetryIn: in} }
	for name, tc := range map[string]struct {
		refusal call.Refusal
		en, zh  string
	}{
		"deadline":    {late, "quota (input tokens per minute) had no room for this request within the 90 seconds it could wait. Try again in about 35 seconds.", "时间（90 秒）内，账号的额度（每分钟输入 token 数）一直没有空余。请在大约 35 秒后再试。"},
		"hardly-late": {call.Refusal{Reason: call.TimedOut, Waited: 1012 * time.Millisecond}, "within the 1 second it", "时间（1 秒）内"},
		"too-large":   {call.Refusal{Reason: call.TooLarge, Need: 1_200_000, Limit: 30_000}, "about 1,200,000 input tokens, but the account's limit is 30,000 per", "大约需要 1,200,000 个输入 token，而账号的上限是每分钟 30,000 个"},
		"no-parts":    {call.Refusal{Reason: call.TooLarge, Need: 1_200_000, Limit: 30_000, Detail: "tools"}, "limit of 30,000 per minute. It cannot be split: tools", "超过账号每分钟 30,000 个的上限，而且无法分段：tools"},
		"no-limit":    {call.Refusal{Reason: call.TooLarge, Need: 5}, "more than the account's whole limit", "账号每分钟的全部额度"},
		"spend-cap":   {call.Refusal{Reason: call.AccountBlocked, Verdict: call.Verdict{Kind: call.SpendCap, Until: december}}, "pauses it until 2026-12-01 00:00 UTC.", "将于 2026 年 12 月 1 日 00:00（UTC）恢复。"},
		"no-date":     {call.Refusal{Reason: call.AccountBlocked, Verdict: call.Verdict{Kind: call.OwnLimit}}, "paused until somebody lifts it.", "需要有人解除后才能恢复。"},
		"workspace":   {call.Refusal{Reason: call.AccountBlocked, Verdict: call.Verdict{Kind: call.OwnLimit, Workspace: true}}, "The workspace has", "这个工作区已经"},
		"unknown":     {again(0), "Try again later.", "请稍后再试。"},
		"one":         {again(time.Millisecond), "in about 1 second.", "大约 1 秒后"},
		"minutes":     {again(2 * time.Minute), "in about 2 minutes.", "大约 2 分钟后"},
		"round-up":    {again(2*time.Minute + 1), "in about 3 minutes.", "大约 3 分钟后"},
		"hours":       {again(47 * time.Hour), "in about 47 hours.", "大约 47 小时后"},
		"days":        {again(190 * time.Hour), "in about 8 days.", "大约 8 天后"},
	} {
		t.Run(name, func(t *testing.T) {
			b := words.New()
			for lang, want := range map[string]string{"en": tc.en, "zh": tc.zh} {
				if got := b.Refusal(lang, &tc.refusal).Message; !strings.Contains(got, want) {
					t.Errorf("got %q, want %q in it", got, want)
				}
			}
		})
	}
}

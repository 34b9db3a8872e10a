package words_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/words"
)

// warnings are those of every kind, with and without what may be unknown.
func warnings() (all []call.Warning) {
	left, in, until := 0.123, 41.5, time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	for _, limiter := range []string{"requests", "input_tokens", "output_tokens"} {
		for _, space := range []string{"", "wrkspc_1"} {
			all = append(all,
				call.Warning{Kind: call.QuotaLow, Group: "claude-sonnet-5", Workspace: space, Limiter: limiter, Threshold: 20, Left: &left},
				call.Warning{Kind: call.QuotaLow, Group: "claude-sonnet-5", Workspace: space, Limiter: limiter, Threshold: 10, Left: &left, EmptyIn: &in},
				call.Warning{Kind: call.QuotaForecast, Group: "claude-sonnet-5", Workspace: space, Limiter: limiter, Left: &left, EmptyIn: &in},
			)
		}
	}
	for _, cause := range []string{"spend_cap", "contract_cap", "own_limit", "workspace_limit", "no_credit", "disabled", "on_hold", "bad_key", "", "new"} {
		all = append(all,
			call.Warning{Kind: call.AccountDown, Key: "main", Organization: "org", Cause: cause, Until: &until},
			call.Warning{Kind: call.AccountDown, Organization: "org", Cause: cause},
			call.Warning{Kind: call.KeyRefused, Key: "main", Cause: cause})
	}
	for _, cause := range []string{"failing", "overloaded", "slow", ""} {
		all = append(all, call.Warning{Kind: call.BreakerOpen, Scope: "api/m", Cause: cause})
	}
	return append(all,
		call.Warning{Kind: call.BudgetLow, Scope: "month", Left: &left},
		call.Warning{Kind: call.BudgetLow, Scope: "month", Tenant: "amber", Left: &left, Until: &until})
}

func TestEveryWarningHasWords(t *testing.T) {
	b := words.New()
	for _, w := range warnings() {
		for _, lang := range []string{"en", "zh", "", "fr"} {
			text := b.Warning(lang, w)
			for _, s := range []string{text.Message, text.Hint, b.Cleared(lang, w), b.Level(lang, w.Level), b.Over(lang)} {
				if s == "" || strings.Contains(s, "no value") || strings.Contains(s, "{{") {
					t.Errorf("%+v, %q: said %q", w, lang, s)
				}
				if lang == "zh" != strings.ContainsFunc(s, isHan) {
					t.Errorf("%+v, %q: %q is in the wrong language", w, lang, s)
				}
			}
		}
	}
}

func TestWordingOfWarnings(t *testing.T) {
	left, in := 0.125, 41.5
	until := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	low := call.Warning{Kind: call.QuotaLow, Group: "claude-sonnet-5", Limiter: "input_tokens", Threshold: 10, Left: &left, EmptyIn: &in}
	spent := call.Warning{Kind: call.BudgetLow, Scope: "month", Tenant: "amber", Left: &left, Until: &until}
	blocked := call.Warning{Kind: call.AccountDown, Key: "main", Cause: "spend_cap", Until: &until}
	for name, tc := range map[string]struct{ got, want string }{
		"low-en":      {words.New().Warning("en", low).Message, "claude-sonnet-5: the quota for input tokens per minute has fallen below 10 %; 12 % is left now. At this pace it is used up in about 42 seconds."},
		"low-zh":      {words.New().Warning("zh", low).Message, "模型 claude-sonnet-5：每分钟输入 token 数的额度已低于 10 %，现在还剩 12 %。照目前的速度，大约 42 秒后用完。"},
		"over-en":     {words.New().Cleared("en", low), "claude-sonnet-5: the quota for input tokens per minute is no longer short."},
		"budget-en":   {words.New().Warning("en", spent).Message, "The budget month of amber is spent to 87 %. It starts anew on 2026-12-01 00:00 UTC."},
		"budget-zh":   {words.New().Warning("zh", spent).Message, "预算 amber 的 month 已用去 87 %。预算将于 2026 年 12 月 1 日 00:00（UTC）重新开始。"},
		"blocked-en":  {words.New().Warning("en", blocked).Message, "main: The account has reached the monthly spend cap of its usage tier. Anthropic pauses it until 2026-12-01 00:00 UTC. Meanwhile Weir does not use it, except for a tiny request now and then to check."},
		"blocked-end": {words.New().Cleared("zh", blocked), "main 可以继续使用了。"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got  %q\nwant %q", name, tc.got, tc.want)
		}
	}
}

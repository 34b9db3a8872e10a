package top

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/weir-gateway/weir/call"
)

var update = flag.Bool("update", false, "write the screens into the golden files")

func TestMain(m *testing.M) {
	time.Local = time.UTC // the clocks on the screens are the reader's
	os.Exit(m.Run())
}

var at = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// busy is a picture with something in every section.
func busy() *Picture {
	until, probe := at.Add(72*time.Hour), at.Add(4*time.Second)
	p := &Picture{
		At: at, Version: "v1",
		Quota: call.QuotaReport{At: at, State: "tight", Buckets: []call.BucketReport{
			{Organization: "fb3f6d24-f68f-49c5-a440", Group: "claude-sonnet-4.x", Limiter: "requests", Limit: 4000, Remaining: 3990, Low: 3980, High: 4000, FullAt: at.Add(time.Second)},
			{Organization: "fb3f6d24-f68f-49c5-a440", Group: "claude-sonnet-4.x", Limiter: "input_tokens", Limit: 2_000_000, Remaining: 120_000, Low: 60_000, High: 500_000, Reserved: 40_000, EmptyIn: new(23.4)},
			{Organization: "fb3f6d24-f68f-49c5-a440", Group: "claude-sonnet-4.x", Limiter: "output_tokens", Limit: 400_000, Remaining: -500, Low: -900, High: 100},
			{Organization: "", Group: "claude-haiku-4-5", Limiter: "requests", Limit: 0},
		}, Keys: []call.KeyReport{
			{Name: "main", Organization: "fb3f6d24-f68f-49c5-a440", State: "ok"},
			{Name: "spare", Organization: "other", State: "blocked", Block: "spend_cap", Until: &until},
		}},
		Queue: call.QueueReport{Waiting: 1203, Lanes: []call.LaneReport{
			{Group: "claude-sonnet-4.x", Waiting: 1203, InFlight: 17, OldestWait: 75, HeadIn: new(1.25), BoundBy: "input_tokens",
				ByClass: map[string]int{"interactive": 3, "normal": 200, "batch": 1000},
				Next: []call.WaiterReport{
					{Position: 1, ETA: new(1.25), Waited: 75, Class: "interactive", Tenant: "研究团队-自然语言处理", Input: 12_000, Attempt: 2},
					{Position: 2, Waited: 3, Class: "batch", Tenant: "amber", Input: 800, Attempt: 1},
				}},
			{Group: "idle", InFlight: 0},
		}},
		Protection: call.ProtectionReport{At: at,
			Breakers: []call.BreakerReport{{Scope: "api.anthropic.com/claude-opus-4-8", State: "open", Since: at, Rule: "outage", Cause: "overloaded", RetryAt: &probe, Opened: 2}},
			Rules:    []call.RuleReport{{Rule: "tenants", Kind: "hotspot", Resource: "*", Refused: 7}},
		},
		Degradation: call.LadderReport{Rungs: []call.RungReport{
			{Rung: "thinking", Places: 9, InForce: []call.InForceReport{{Class: "batch", Tenant: "amber", Model: "claude-opus-4-8", Since: at, Values: "headroom = 0.12"}}},
			{Rung: "refuse"},
		}},
		Warnings: []Warning{{Level: "warning", Text: map[string]WarningText{
			"en": {Message: "10 % of the input tokens of claude-sonnet-4.x are left.", Hint: "Calls will wait."},
			"zh": {Message: "claude-sonnet-4.x 的输入 token 只剩 10 %。", Hint: "请求将排队等待。"},
		}}},
		Recent: Tally{Answered: 842, WaitP50: 0.4, WaitP95: 12.3, RateLimited: 0},
		Requests: []Request{
			{At: at, Endpoint: "messages", Model: "claude-sonnet-4-6", Tenant: "amber", Outcome: "ok", Status: 200, Waited: 0.4, Took: 2.1, Attempts: 1},
			{At: at.Add(-time.Second), Endpoint: "messages", Model: "claude-sonnet-4-6", Tenant: "研究团队", Outcome: "refused", Reason: "wait_deadline", Status: 429, Waited: 600, Took: 600},
			{At: at.Add(-time.Minute), Endpoint: "other", Tenant: "evil\x1b[2J\u202ename\n", Outcome: "upstream_error", Status: 502, Attempts: 3},
		},
	}
	p.Requests[0].Usage.Input, p.Requests[0].Usage.CacheRead, p.Requests[0].Usage.Output = 1200, 50_000, 300
	return p
}

// shown is a screen of that size with news.
func shown(lang string, width, height int, news ...News) *Model {
	m := NewModel(lang, "http://127.0.0.1:8788", true)
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	for _, n := range news {
		m.Update(n)
	}
	return m
}

func press(m *Model, keys ...string) tea.Cmd {
	var cmd tea.Cmd
	codes := map[string]tea.KeyPressMsg{
		"tab": {Code: tea.KeyTab}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift}, "down": {Code: tea.KeyDown}, "up": {Code: tea.KeyUp},
		"pgdown": {Code: tea.KeyPgDown}, "pgup": {Code: tea.KeyPgUp}, "end": {Code: tea.KeyEnd}, "home": {Code: tea.KeyHome},
		"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "esc": {Code: tea.KeyEscape},
	}
	for _, k := range keys {
		msg, ok := codes[k]
		if !ok {
			msg = tea.KeyPressMsg{Code: rune(k[0]), Text: k}
		}
		_, cmd = m.Update(msg)
	}
	return cmd
}

var (
	now  = News{At: at, Picture: busy()}
	gone = News{At: at.Add(3 * time.Second), Err: errors.New("connection refused")}
)

func TestScreens(t *testing.T) {
	for _, tt := range []struct {
		name          string
		lang          string
		width, height int
		news          []News
		keys          []string
	}{
		{"all-120x40", "en", 120, 40, []News{now}, nil},
		{"all-80x24", "en", 80, 24, []News{now}, nil},
		{"all-40x10", "en", 40, 10, []News{now}, nil},
		{"all-zh-120x40", "zh", 120, 40, []News{now}, nil},
		{"all-zh-40x10", "zh", 40, 10, []News{now}, nil},
		{"quota-80x24", "en", 80, 24, []News{now}, []string{"2"}},
		{"queue-zh-80x24", "zh", 80, 24, []News{now}, []string{"3"}},
		{"requests-60x20", "en", 60, 20, []News{now}, []string{"4"}},
		{"protection-80x24", "en", 80, 24, []News{now}, []string{"shift+tab"}},
		{"help-80x24", "en", 80, 24, []News{now}, []string{"?"}},
		{"paused-80x24", "en", 80, 24, []News{now}, []string{"p"}},
		{"nothing-yet-80x24", "en", 80, 24, nil, nil},
		{"nothing-known-80x24", "en", 80, 24, []News{{At: at, Picture: &Picture{At: at, Quota: call.QuotaReport{State: "ok"}}}}, nil},
		{"never-there-80x24", "en", 80, 24, []News{gone}, nil},
		{"gone-80x24", "en", 80, 24, []News{now, gone}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := shown(tt.lang, tt.width, tt.height, tt.news...)
			press(m, tt.keys...)
			got := strings.Join(m.screen(), "\n") + "\n"
			file := filepath.Join("testdata", tt.name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil || got != string(want) {
				t.Errorf("%v; the screen is\n%s\nwant\n%s", err, got, want)
			}
		})
	}
}

// TestNothingOverflows draws every section at many sizes, in both languages,
// with and without colours.
func TestNothingOverflows(t *testing.T) {
	for _, lang := range languages {
		for _, width := range []int{1, 20, 40, 41, 60, 80, 121, 300} {
			for _, height := range []int{10, 50} {
				for tab := range numTabs {
					m := shown(lang, width, height, now, gone)
					m.noColor = width%2 == 0
					m.turn(tab)
					for _, offset := range []int{0, 100} {
						m.offset = offset
						lines := m.screen()
						if len(lines) > height {
							t.Fatalf("%s %dx%d: %d lines", lang, width, height, len(lines))
						}
						for _, line := range lines {
							if lipgloss.Width(line) > width {
								t.Fatalf("%s %dx%d tab %d: %d columns: %q", lang, width, height, tab, lipgloss.Width(line), line)
							}
							if plainOf(line) != plain(plainOf(line)) {
								t.Fatalf("control characters in %q", line)
							}
						}
					}
				}
			}
		}
	}
}

// plainOf takes the styles out of a line, as the program itself writes them.
func plainOf(line string) string {
	var b strings.Builder
	for len(line) > 0 {
		if rest, ok := strings.CutPrefix(line, "\x1b["); ok {
			if end := strings.IndexByte(rest, 'm'); end >= 0 && strings.Trim(rest[:end], "0123456789;") == "" {
				line = rest[end+1:]
				continue
			}
		}
		b.WriteByte(line[0])
		line = line[1:]
	}
	return b.String()
}

// TestColoursSayNothingNew: without them the same text is on the screen, and
// no two states differ by colour alone.
func TestColoursSayNothingNew(t *testing.T) {
	coloured, bare := shown("en", 120, 60, now), shown("en", 120, 60, now)
	coloured.noColor = false
	a, b := coloured.screen(), bare.screen()
	for i := range a {
		if plainOf(a[i]) != b[i] {
			t.Errorf("line %d: %q and %q", i, plainOf(a[i]), b[i])
		}
	}
	if strings.Join(a, "") == strings.Join(b, "") {
		t.Error("there are no colours at all")
	}
	if strings.Contains(strings.Join(b, ""), "\x1b") {
		t.Error("NO_COLOR leaves styles behind")
	}
}

func TestKeys(t *testing.T) {
	for _, tt := range []struct {
		keys string
		want string // tab/offset/help/paused
	}{
		{"", "0/0/false/false"},
		{"tab", "1/0/false/false"},
		{"shift+tab", "4/0/false/false"},
		{"tab tab tab tab tab", "0/0/false/false"},
		{"3", "2/0/false/false"},
		{"down down up", "0/1/false/false"},
		{"up", "0/0/false/false"},
		{"j k", "0/0/false/false"},
		{"down tab", "1/0/false/false"},
		{"pgdown pgup", "0/0/false/false"},
		{"end home", "0/0/false/false"},
		{"?", "0/0/true/false"},
		{"? ?", "0/0/false/false"},
		{"? esc", "0/0/false/false"},
		{"p", "0/0/false/true"},
		{"p p", "0/0/false/false"},
		{"x", "0/0/false/false"},
	} {
		t.Run(tt.keys, func(t *testing.T) {
			m := shown("en", 80, 24, now)
			if cmd := press(m, strings.Fields(tt.keys)...); cmd != nil {
				t.Error("it does more than change")
			}
			if got := fmt.Sprintf("%d/%d/%v/%v", m.tab, m.offset, m.help, m.paused); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	for _, k := range []string{"q", "ctrl+c"} {
		if cmd := press(shown("en", 80, 24, now), k); cmd == nil || cmd() != tea.Quit() {
			t.Errorf("%s does not quit", k)
		}
	}
}

func TestScrollingEndsAtTheEnd(t *testing.T) {
	m := shown("en", 80, 10, now)
	press(m, "end")
	last := m.offset
	press(m, "pgdown", "down")
	if m.offset != last || last == 0 {
		t.Errorf("offset %d after the end at %d", m.offset, last)
	}
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 100})
	if m.offset != 0 {
		t.Errorf("offset %d where all has room", m.offset)
	}
}

func TestPauseHoldsThePicture(t *testing.T) {
	m := shown("en", 80, 24, now)
	press(m, "p")
	later := busy()
	later.Queue.Waiting = 7
	m.Update(News{At: at, Picture: later})
	if m.picture.Queue.Waiting != 1203 {
		t.Error("the picture moved")
	}
	press(m, "p")
	if m.picture.Queue.Waiting != 7 {
		t.Error("it shows an old picture")
	}
}

func TestLostAndFoundAgain(t *testing.T) {
	m := shown("en", 80, 24, now, gone, News{At: at.Add(time.Minute), Err: errors.New("still")})
	if m.link != lost || !m.since.Equal(gone.At) {
		t.Errorf("link %v since %v, want lost since %v", m.link, m.since, gone.At)
	}
	m.Update(now)
	if m.link != live {
		t.Errorf("link %v", m.link)
	}
}

// TestNothingIsSaidTwice: where the gateway warns of what keeps calls from
// being served, its own words are enough.
func TestNothingIsSaidTwice(t *testing.T) {
	p := busy()
	for _, kind := range []string{"breaker_open", "account_blocked"} {
		p.Warnings = append(p.Warnings, Warning{Kind: kind, Level: "critical", Text: map[string]WarningText{"en": {Message: "It is " + kind + "."}}})
	}
	got := strings.Join(shown("en", 120, 60, News{At: at, Picture: p}).alerts(120, 30), "\n")
	if want := "▲ 10 % of the input tokens of claude-sonnet-4.x are left. Calls will wait.\n✖ It is breaker_open.\n✖ It is account_blocked."; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestStates(t *testing.T) {
	ok, blocked := call.KeyReport{State: "ok"}, call.KeyReport{State: "blocked"}
	bucket := []call.BucketReport{{Limit: 1}}
	open := []call.BreakerReport{{State: "open"}}
	for _, tt := range []struct {
		want     string
		buckets  []call.BucketReport
		keys     []call.KeyReport
		breakers []call.BreakerReport
	}{
		{"unknown", nil, nil, nil},
		{"unknown", nil, []call.KeyReport{ok}, nil},
		{"tight", bucket, []call.KeyReport{ok}, nil},
		{"partly", bucket, []call.KeyReport{ok, blocked}, nil},
		{"blocked", bucket, []call.KeyReport{blocked}, open},
		{"failing", bucket, []call.KeyReport{ok, blocked}, open},
	} {
		p := &Picture{Quota: call.QuotaReport{State: "tight", Buckets: tt.buckets, Keys: tt.keys}, Protection: call.ProtectionReport{Breakers: tt.breakers}}
		if got := p.state(); got != tt.want {
			t.Errorf("%v %v: %s, want %s", tt.keys, tt.breakers, got, tt.want)
		}
	}
}

func TestBothLanguagesHaveAllWords(t *testing.T) {
	en, zh := wordsOf("en"), wordsOf("zh")
	for key, text := range en {
		other, ok := zh[key]
		if !ok || text == "" || other == "" {
			t.Errorf("%s is missing in one language", key)
		}
		for _, blank := range []string{"{url}", "{time}", "{name}", "{why}", "{until}", "{scope}", "{from}", "{to}", "{n}"} {
			if strings.Contains(text, blank) != strings.Contains(other, blank) {
				t.Errorf("%s: %s is in one language only", key, blank)
			}
		}
	}
	if len(zh) != len(en) {
		t.Errorf("%d and %d words", len(en), len(zh))
	}
	for prefix, values := range map[string][]string{
		"state.": {"unknown", "ok", "tight", "exhausted", "blocked", "partly", "failing"}, "level.": {"good", "low", "out", "unknown"},
		"outcome.": {"ok", "refused", "upstream_error", "client_gone", "failed_mid_stream"}, "breaker.": {"closed", "half_open", "open"},
		"cause.": {"failing", "overloaded", "slow"}, "key.": {"ok", "blocked"}, "tab.": tabNames[:],
		"block.":   {"spend_cap", "contract_cap", "own_limit", "workspace_limit", "no_credit", "disabled", "on_hold", "bad_key"},
		"limiter.": {"requests", "input_tokens", "output_tokens", "retry_after", "window", call.RuleAtOnce}, "class.": {"interactive", "normal", "batch"},
	} {
		for _, v := range values {
			if en[prefix+v] == "" {
				t.Errorf("no word for %s%s", prefix, v)
			}
		}
	}
}

func TestLanguage(t *testing.T) {
	for env, want := range map[string]string{
		"LANG=zh_CN.UTF-8": "zh", "LANG=en_US.UTF-8": "en", "LANG=C": "en", "": "en", "LC_ALL=zh_TW LANG=en": "zh", "LC_ALL=C LANG=zh_CN": "en",
	} {
		got := Language(func(name string) string {
			for pair := range strings.FieldsSeq(env) {
				if v, ok := strings.CutPrefix(pair, name+"="); ok {
					return v
				}
			}
			return ""
		})
		if got != want {
			t.Errorf("%s: %s, want %s", env, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	got := []string{short(0), short(-500), short(999), short(1000), short(9949), short(9950), short(87_400), short(999_499), short(999_500), short(2_000_000), short(1_250_000)}
	want := []string{"0", "-500", "999", "1k", "9.9k", "10k", "87k", "999k", "1M", "2M", "1.25M"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	got = []string{span(0), span(0.25), span(1.25), span(59.94), span(59.99), span(75), span(3599.6), span(7260), spanOf(nil)}
	want = []string{"0 s", "250 ms", "1.2 s", "59.9 s", "1 min 0 s", "1 min 15 s", "1 h 0 min", "2 h 1 min", none}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// FuzzCut: whatever names hold, nothing gets wider than its place.
func FuzzCut(f *testing.F) {
	f.Add("研究团队-自然语言处理", 7)
	f.Add("a\x1b[2Jb\u202e", 3)
	f.Add("👩‍👩‍👧‍👦 family", 4)
	f.Fuzz(func(t *testing.T, s string, width int) {
		width = max(0, min(width, 200))
		if got := cut(s, width); lipgloss.Width(got) > width || strings.ContainsAny(got, "\x1b\n\r") {
			t.Errorf("cut(%q, %d) = %q", s, width, got)
		}
		for _, line := range fold(s, max(width, 1), 3) {
			if lipgloss.Width(line) > max(width, 1) {
				t.Errorf("fold(%q, %d) has %q", s, width, line)
			}
		}
	})
}

func event(t *testing.T, p *Picture) string {
	t.Helper()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return "event: snapshot\ndata: " + string(raw) + "\n\n"
}

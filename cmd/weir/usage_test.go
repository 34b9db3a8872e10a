package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
)

// booked makes a data folder with a ledger of a few calls, as a gateway leaves
// it that was killed.
func booked(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	l, closeLedger, err := openLedger(config.Config{Data: dir}, env{getenv: noEnv}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer closeLedger()
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i, tenant := range []string{"ann", "ben", "ann"} {
		var degraded call.Degradation
		if tenant == "ben" {
			degraded = call.Degradation{Rung: "effort", From: "claude-opus-5"}
		}
		l.Event(call.Event{
			Degraded: degraded,
			ID:       "weir_" + tenant, At: at.AddDate(0, 0, i), Model: "claude-opus-5", Tenant: tenant, Class: call.Normal, Outcome: "ok", Client: "ci", Cached: call.CacheMiss,
			Usage: call.Usage{Input: 1000, CacheRead: 10, Output: 100, Exact: true}, Cost: 7_505_000_000, Priced: true,
			Story: []call.Attempt{{At: at.AddDate(0, 0, i), Key: "main", Status: 200, Kind: "ok"}},
		})
	}
	l.Event(call.Event{ID: "weir_hit", At: at, Model: "claude-opus-5", Tenant: "ann", Class: call.Normal, Status: 200, Outcome: "ok", Cached: call.CacheHit})
	return dir
}

func TestUsage(t *testing.T) {
	dir := booked(t)
	for name, tt := range map[string]struct {
		args []string
		want []string // in the output
	}{
		"total":    {nil, []string{"requests", "3         3   3000          30            0     300  0.022515"}},
		"split":    {[]string{"--by", "tenant,model"}, []string{"ann  claude-opus-5", "0.01501", "total"}},
		"csv":      {[]string{"--by", "tenant", "--csv"}, []string{"tenant,requests,attempts,input_tokens,cache_read_tokens,cache_write_tokens,output_tokens,cost_usd,degraded\nann,2,2,2000,20,0,200,0.01501,0\nben,1,1,1000,10,0,100,0.007505,1\n"}},
		"cached":   {[]string{"--attempts", "--csv", "--to", "2026-11-23"}, []string{"weir_hit,0,true,2026-11-23T12:00:00Z,ann,,,claude-opus-5,normal,false,200,hit,ok,0,0,,hit,true,false,0,0,0,0,0.00\n"}},
		"one-day":  {[]string{"--from", "2026-11-24", "--to", "2026-11-24", "--csv"}, []string{"1,1,1000,10,0,100,0.007505,1\n"}},
		"attempts": {[]string{"--attempts"}, []string{`{"call":"weir_ann","attempt":1,"final":true,"at":"2026-11-23T12:00:00Z","tenant":"ann","client":"ci","key":"main"`}},
		"lines":    {[]string{"--attempts", "--csv"}, []string{"weir_ben,1,true,2026-11-24T12:00:00Z,ben,ci,main,claude-opus-5,normal,false,200,ok,ok,0,0,effort; from=claude-opus-5,miss,true,true,1000,10,0,100,0.007505\n"}},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), env{nil, &out, &errs, noEnv}, append([]string{"usage", "--data", dir}, tt.args...)); code != exitOK {
			t.Errorf("%s: exit %d, %s", name, code, errs.String())
		}
		for _, want := range tt.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q is not in\n%s", name, want, out.String())
			}
		}
	}
}

func TestUsageAsJSON(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), env{nil, &out, &out, noEnv}, []string{"usage", "--data", booked(t), "--by", "tenant,model,day", "--json"}); code != exitOK {
		t.Fatal(out.String())
	}
	var got struct {
		Total map[string]any   `json:"total"`
		Rows  []map[string]any `json:"rows"`
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Total["requests"] != 3.0 || got.Total["cost_usd"] != "0.022515" || got.Total["degraded"] != 1.0 || len(got.Rows) != 3 || got.Rows[0]["day"] != "2026-11-23" {
		t.Errorf("got %+v", got)
	}
}

func TestUsageRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no-folder":     {nil, exitUsage, "--data"},
		"no-ledger":     {[]string{"--data", t.TempDir()}, exitFailed, "no ledger"},
		"wrong-day":     {[]string{"--data", "x", "--from", "today"}, exitUsage, "from must be a day"},
		"wrong-column":  {[]string{"--data", "x", "--by", "colour"}, exitUsage, "choose from"},
		"two-forms":     {[]string{"--data", "x", "--json", "--csv"}, exitUsage, "exclude"},
		"wrong-file":    {[]string{"--config", "/does/not/exist"}, exitFailed, "configuration"},
		"too-much-said": {[]string{"now"}, exitUsage, "now"},
	} {
		var errs bytes.Buffer
		if code := run(t.Context(), env{nil, &errs, &errs, noEnv}, append([]string{"usage"}, tt.args...)); code != tt.code || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("%s: exit %d, %s", name, code, errs.String())
		}
	}
}

func noEnv(string) string { return "" }

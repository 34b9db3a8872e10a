package quota_test

import (
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/quota"
)

func told(requests, input, output float64) *quota.ModelGroup {
	return &quota.ModelGroup{Name: "Opus", Limits: [call.NumLimiters]float64{requests, input, output}}
}

func TestToldLimitsClaimNoLevel(t *testing.T) {
	g := quota.NewGroup(epoch, false)
	g.Configure(epoch, told(50, 30_000, 8000))
	d := quota.Demand{Input: 1000}
	if dec := g.Check(epoch, quota.Demand{Input: 31_000}); !dec.Never || dec.Limit != 30_000 {
		t.Errorf("a call larger than the bucket: %+v", dec)
	}
	n := 0
	for ; g.Check(epoch, d).Wait == 0; n++ {
		reserve(g, epoch, d)
	}
	fresh, m := quota.NewGroup(epoch, false), 0
	for ; fresh.Check(epoch, d).Wait == 0; m++ {
		reserve(fresh, epoch, d)
	}
	if n != m || n > 10 {
		t.Errorf("%d calls are let through to probe, %d without the API", n, m)
	}
	for _, b := range g.Report(epoch) {
		if b.Source != "api" || b.Low != 0 || b.High != b.Limit || !b.ObservedAt.IsZero() {
			t.Errorf("%+v: want a limit of source api and any level", b)
		}
	}
	if got := g.Headroom(epoch); got[call.InputTokens] == got[call.InputTokens] {
		t.Errorf("headroom %v without a level", got)
	}
}

// level is the belief about the input bucket.
func level(t *testing.T, g *quota.Group, now time.Time) call.BucketReport {
	t.Helper()
	for _, b := range g.Report(now) {
		if b.Limiter == "input_tokens" {
			return b
		}
	}
	t.Fatal("nothing is known of the input bucket")
	return call.BucketReport{}
}

func TestToldChangesTakeEffect(t *testing.T) {
	g := known(0.5)
	first := level(t, g, epoch)
	limit := float64(first.Limit)
	g.Configure(epoch, told(50, 2*limit, 8000))
	if b := level(t, g, epoch); b.Limit != first.Limit || b.Source != "header" {
		t.Errorf("the first telling must not replace what headers said: %+v", b)
	}
	g.Configure(epoch, told(50, limit/4, 8000))
	if b := level(t, g, epoch); b.Limit != first.Limit/4 || b.Remaining != b.Limit || b.Source != "api" {
		t.Errorf("after a cut: %+v", b)
	}
	g.Configure(epoch, told(50, limit, 8000))
	if b := level(t, g, epoch); b.Limit != first.Limit || b.Remaining != first.Limit/4 || b.High != b.Limit {
		t.Errorf("after a rise the level is that of before, perhaps more: %+v", b)
	}
	now := epoch.Add(time.Second)
	f := reserve(g, now, quota.Demand{Input: 10})
	g.Observe(now.Add(time.Second), f, header(now, 0.9))
	if b := level(t, g, now.Add(time.Second)); b.Source != "header" || b.Remaining < 3*first.Limit/10 {
		t.Errorf("headers correct it: %+v", b)
	}
}

func TestToldGroups(t *testing.T) {
	builtin := quota.BuiltinGroups()
	g := builtin.Told([]quota.ModelGroup{
		{Name: "Opus 4.x", Models: []string{"claude-opus-4-8", "claude-opus-4-7"}},
		{Name: "Tiny", Models: []string{"claude-haiku-5-5"}, CountCached: true},
	})
	for model, want := range map[string]string{
		"claude-opus-4-8": "Opus 4.x", "claude-opus-4-7-20260416": "Opus 4.x", "claude-haiku-5-5": "Tiny",
		"claude-opus-4-5": "claude-opus-4.x", "claude-sonnet-5": "claude-sonnet-5",
	} {
		if got, _ := g.Of(model); got != want {
			t.Errorf("%s is in %q, want %q", model, got, want)
		}
	}
	if _, counts := g.Of("claude-haiku-5-5"); !counts || g.Named("Tiny") == nil || g.Named("none") != nil {
		t.Error("what was told of a group is lost")
	}
	for before, want := range map[string]string{
		"claude-opus-4.x": "Opus 4.x", "claude-haiku-5-5": "Tiny", "claude-sonnet-5": "claude-sonnet-5", "Tiny": "Tiny",
	} {
		if got := g.Successor(builtin, before); got != want {
			t.Errorf("%s becomes %q, want %q", before, got, want)
		}
	}
}

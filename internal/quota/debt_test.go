package quota_test

import (
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/quota"
)

// TestDebtOfOutputIsSeen: the very first answer, in one piece, has drained the
// output bucket three times over. `remaining` is 0; `reset` tells the debt.
func TestDebtOfOutputIsSeen(t *testing.T) {
	g := quota.NewGroup(epoch, false)
	f := reserve(g, epoch, quota.Demand{Input: 1000})
	ended := epoch.Add(5 * time.Second)
	l := header(ended, 1)
	l.Bucket[call.OutputTokens] = call.Reading{Known: true, Limit: 120e3, Remaining: 0, Reset: ended.Add(4 * time.Minute)}
	u := call.Usage{Input: 1000, Output: 480e3, Exact: true}
	g.Input(ended, f, u)
	g.Output(ended, f, u.Output)
	g.Observe(ended, f, l)
	g.Settle(ended, f, u)
	d := g.Check(ended, quota.Demand{Input: 1000})
	if d.Wait < 3*time.Minute || d.Wait > 5*time.Minute {
		t.Errorf("the next call would go after %v, want about 3 min, when the debt is paid", d.Wait)
	}
}

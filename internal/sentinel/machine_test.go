package sentinel

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/alibaba/sentinel-golang/core/system"

	"github.com/weir-gateway/weir/call"
)

// busy is a protection on a machine that the test makes busy.
type busy struct {
	*testing.T
	p    *Protection
	load float64
	used time.Duration // of CPU
}

// onMachine runs a test on a protection by one system rule, in a bubble.
func onMachine(t *testing.T, r system.Rule, test func(*busy)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, err := NewProtection(Rules{System: []system.Rule{r}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		b := &busy{T: t, p: p}
		p.machine.readLoad = func() (float64, error) { return b.load, nil }
		p.machine.readCPU = func() (time.Duration, error) { return b.used, nil }
		test(b)
	})
}

// enter lets a call of a class in, and keeps it there.
func (b *busy) enter(c call.Class, want bool) {
	b.Helper()
	_, no := b.p.Enter(b.Context(), &call.Call{Class: c})
	if (no == nil) != want {
		b.Errorf("%v: %v with load %v: %v", time.Now(), c, b.load, no)
	}
}

// next lets a second pass, and another call have the machine looked at.
func (b *busy) next() {
	b.Helper()
	time.Sleep(time.Second)
	b.enter(call.Interactive, true)
}

func TestLoadShedsBatch(t *testing.T) {
	onMachine(t, system.Rule{MetricType: system.Load, TriggerCount: 4}, func(b *busy) {
		b.load = 4
		b.next()
		b.enter(call.Batch, true)
		b.load = 4.1
		b.enter(call.Batch, true) // it has just been looked at
		b.next()
		b.enter(call.Batch, false)
		b.enter(call.Normal, true)
		b.load = 3
		b.next()
		b.enter(call.Batch, true)
	})
}

func TestCPUShedsBatch(t *testing.T) {
	onMachine(t, system.Rule{MetricType: system.CpuUsage, TriggerCount: 0.5}, func(b *busy) {
		b.used = time.Hour // before anybody looked
		b.next()
		b.enter(call.Batch, true)
		b.used += time.Second / 100
		b.next()
		b.enter(call.Batch, true)
		b.used += time.Hour // more than there are CPUs, surely
		b.next()
		b.enter(call.Batch, false)
		b.used += time.Hour
		time.Sleep(time.Minute) // too long to tell anything of now
		b.enter(call.Batch, true)
	})
}

// TestAdaptiveSheds: with strategy 1, batch goes on below the number of calls
// that the machine could bear, which is found by lowering it.
func TestAdaptiveSheds(t *testing.T) {
	onMachine(t, system.Rule{MetricType: system.Load, TriggerCount: 4, Strategy: system.BBR}, func(b *busy) {
		var leaves []func()
		for range 20 {
			leave, _ := b.p.Enter(b.Context(), &call.Call{Class: call.Batch})
			leaves = append(leaves, leave)
		}
		b.load = 9
		b.next() // the ceiling is at 20: 21 are inside
		b.enter(call.Batch, false)
		for range 8 {
			leaves[0]()
			leaves = leaves[1:]
		}
		b.enter(call.Batch, true) // 14 are inside
		for range 5 {
			b.next()
		} // 19 are inside, the ceiling is at 12
		b.enter(call.Batch, false)
		b.load = 1
		for range 20 {
			b.next()
		}
		b.enter(call.Batch, true)
	})
}

// TestRealMachine: what is read of this machine makes sense.
func TestRealMachine(t *testing.T) {
	if load, err := readLoad(); err != nil || load < 0 {
		t.Errorf("load %v, %v", load, err)
	}
	if used, err := readCPU(); err != nil || used <= 0 || used > 24*time.Hour {
		t.Errorf("CPU time %v, %v", used, err)
	}
}

func TestNamesAreUsedAgain(t *testing.T) {
	var n names
	now := time.Now()
	first := n.take(now)
	n.give(now, first)
	if early := n.take(now.Add(forgotten)); early == first {
		t.Errorf("%s is used again while its counts may matter", early)
	}
	if again := n.take(now.Add(forgotten + 1)); again != first {
		t.Errorf("%s is not used again, but %s", first, again)
	}
}

// TestNamesComeBack: once, when the protection is closed and its last call has
// left.
func TestNamesComeBack(t *testing.T) {
	p, err := NewProtection(Rules{System: []system.Rule{{MetricType: system.Concurrency, TriggerCount: 9}}})
	if err != nil {
		t.Fatal(err)
	}
	back := func() (n int) {
		process.names.mu.Lock()
		defer process.names.mu.Unlock()
		for _, f := range process.names.free {
			if f.prefix == p.prefix {
				n++
			}
		}
		return n
	}
	enter := func() func() {
		leave, no := p.Enter(t.Context(), &call.Call{})
		if no != nil {
			t.Fatal(no.Rule)
		}
		return leave
	}
	first, second := enter(), enter()
	first()
	p.Close()
	if n := back(); n != 0 {
		t.Errorf("the names came back %d times while a call was inside", n)
	}
	second()
	enter()()
	p.Close()
	if n := back(); n != 1 {
		t.Errorf("the names came back %d times, want once", n)
	}
}

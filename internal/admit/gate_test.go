package admit_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/admit"
)

// TestTheMostUrgentOfAllLanesGoesNext has two places, both taken, and calls of
// three classes that wait in front of different models and keys.
func TestTheMostUrgentOfAllLanesGoesNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, admit.Config{AtOnce: 2}, 1)
		first, _ := d.Admit(t.Context(), d.call(10, time.Minute), "key-a")
		second, _ := d.Admit(t.Context(), d.call(10, time.Minute), "key-a")
		var (
			mu    sync.Mutex
			order []string
			wg    sync.WaitGroup
		)
		for _, w := range []struct {
			class      call.Class
			model, key string
		}{
			{call.Batch, "m", "key-a"}, {call.Normal, "n", "key-a"}, {call.Interactive, "m", "key-b"}, {call.Normal, "m", "key-a"},
		} {
			c := d.call(10, time.Minute)
			c.Class, c.Model = w.class, w.model
			wg.Go(func() {
				p, err := d.Admit(t.Context(), c, w.key)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, w.class.String()+" "+w.model)
				mu.Unlock()
				if p.Wait.BoundBy != call.RuleAtOnce {
					t.Errorf("the story says that %q held it", p.Wait.BoundBy)
				}
				time.Sleep(time.Second)
				p.Release(time.Now())
			})
			synctest.Wait()
		}
		for _, ln := range d.Queue(time.Now()).Lanes {
			if ln.Waiting > 0 && (ln.BoundBy != call.RuleAtOnce || ln.HeadIn != nil || ln.Next[0].ETA != nil) {
				t.Errorf("the queue reports %+v", ln)
			}
		}
		first.Reject(time.Now(), call.Limits{}, call.Verdict{Kind: call.Overloaded})
		wg.Wait()
		if want := []string{"interactive m", "normal n", "normal m", "batch m"}; !slices.Equal(order, want) {
			t.Errorf("went in the order %v, want %v", order, want)
		}
		second.Release(time.Now())
	})
}

func TestNoPlaceUntilTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, admit.Config{AtOnce: 1}, 1)
		p, _ := d.Admit(t.Context(), d.call(10, time.Minute), "key-a")
		began := time.Now()
		_, err := d.Admit(t.Context(), d.call(10, 30*time.Second), "key-a")
		if r := refusal(t, err, call.RuleRefused); r.Rule != call.RuleAtOnce || r.RetryIn != time.Second || r.Waited != 30*time.Second || time.Since(began) != 30*time.Second {
			t.Errorf("after %v: %+v", time.Since(began), r)
		}
		p.Release(time.Now())
		p, err = d.Admit(t.Context(), d.call(10, time.Minute), "key-a")
		if err != nil {
			t.Fatal(err)
		}
		p.Release(time.Now())
	})
}

package fair_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-gateway/weir/internal/fair"
)

type waiter struct{ fair.Item }

func (w *waiter) QueueItem() *fair.Item { return &w.Item }

func TestOrderAndRemoval(t *testing.T) {
	var q fair.Queue[*waiter]
	rng := rand.New(rand.NewPCG(1, 1))
	all := make([]*waiter, 500)
	for i := range all {
		all[i] = &waiter{fair.Item{Seq: uint64(i)}}
	}
	for _, i := range rng.Perm(len(all)) {
		q.Push(all[i])
	}
	var left []uint64
	for i, w := range all {
		if rng.IntN(2) == 0 {
			if !q.Remove(w) || q.Remove(w) {
				t.Fatal("an item is removed exactly once")
			}
			continue
		}
		left = append(left, uint64(i))
	}
	var got []uint64
	for head, ok := q.Head(); ok; head, ok = q.Head() {
		got = append(got, head.Seq)
		q.Remove(head)
	}
	if !slices.Equal(got, left) || q.Len() != 0 {
		t.Errorf("got %v, want %v", got, left)
	}
}

// Package fair decides who of the waiting goes first. This first version is
// first come, first served; classes and fair shares between tenants take its
// place behind the same methods.
//
// The package is pure; a [Queue] is not safe for concurrent use.
package fair

import "container/heap"

// Item is one waiting call. Its fields must not change while it is queued.
type Item struct {
	Seq   uint64 // order of arrival; a call that comes back keeps it
	place int    // index in the heap, -1 outside
}

// Queue orders items. The zero Queue is empty and ready to use. Every method
// is O(log n) or better.
type Queue[T Waiter] struct{ heap waiters[T] }

// Waiter is what can wait in a [Queue]: anything that holds an [Item].
type Waiter interface {
	comparable
	QueueItem() *Item
}

// Len is the number of waiting items.
func (q *Queue[T]) Len() int { return len(q.heap) }

// Push adds w.
func (q *Queue[T]) Push(w T) { heap.Push(&q.heap, w) }

// Head returns who goes next, without taking it out.
func (q *Queue[T]) Head() (w T, ok bool) {
	if len(q.heap) == 0 {
		return w, false
	}
	return q.heap[0], true
}

// Remove takes w out, wherever it stands. It reports whether w was queued.
func (q *Queue[T]) Remove(w T) bool {
	i := w.QueueItem().place
	if i < 0 || i >= len(q.heap) || q.heap[i] != w {
		return false
	}
	heap.Remove(&q.heap, i)
	return true
}

// All yields every waiting item in no particular order.
func (q *Queue[T]) All(yield func(T) bool) {
	for _, w := range q.heap {
		if !yield(w) {
			return
		}
	}
}

// waiters is the heap itself.
type waiters[T Waiter] []T

func (h waiters[T]) Len() int           { return len(h) }
func (h waiters[T]) Less(i, j int) bool { return h[i].QueueItem().Seq < h[j].QueueItem().Seq }

func (h waiters[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].QueueItem().place, h[j].QueueItem().place = i, j
}

// Push implements [heap.Interface].
func (h *waiters[T]) Push(x any) {
	w := x.(T)
	w.QueueItem().place = len(*h)
	*h = append(*h, w)
}

// Pop implements [heap.Interface].
func (h *waiters[T]) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	var none T
	(*h)[last] = none // do not keep it alive
	*h = (*h)[:last]
	w.QueueItem().place = -1
	return w
}

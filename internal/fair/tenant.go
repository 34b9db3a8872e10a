package fair

import "container/heap"

// class is the part of a queue with one urgency.
type class struct {
	virtual     float64    // the class's virtual time: the start tag sent last
	active      tenantHeap // tenants that have something to send
	pinned      *Item      // the head, once it has been shown
	credit      float64    // what is due of the guaranteed share
	waiting     int
	first, last *Item // by arrival
}

func (c *class) append(it *Item) {
	it.prev, it.next = c.last, nil
	if c.last != nil {
		c.last.next = it
	} else {
		c.first = it
	}
	c.last = it
}

func (c *class) unlink(it *Item) {
	if it.prev != nil {
		it.prev.next = it.next
	} else {
		c.first = it.next
	}
	if it.next != nil {
		it.next.prev = it.prev
	} else {
		c.last = it.prev
	}
	it.prev, it.next = nil, nil
}

// tenant is one flow of a class.
type tenant struct {
	key     tenantKey
	weight  float64
	tag     float64 // start tag of its next call, in virtual time
	running int
	items   itemHeap
	place   int // in its class's heap, plus one; 0 outside
}

func (t *tenant) share() float64 {
	if t.weight > 0 {
		return t.weight
	}
	return 1
}

// maxIdle bounds the tenants that are remembered while they have nothing to
// send, for what they were served beyond their share.
const maxIdle = 10_000

// tenant finds the flow of an item. One that was idle starts at the present
// virtual time, unless it is ahead of it.
func (q *Queue) tenant(it *Item) *tenant {
	key := tenantKey{it.Class, it.Tenant}
	t := q.tenants[key]
	if t == nil {
		for old := range q.tenants {
			if len(q.tenants) < maxIdle+q.size {
				break
			}
			if o := q.tenants[old]; len(o.items) == 0 && o.running == 0 {
				delete(q.tenants, old)
			}
		}
		t = &tenant{key: key}
		q.tenants[key] = t
	}
	if len(t.items) == 0 {
		t.tag = max(t.tag, q.classes[it.Class].virtual)
	}
	return t
}

// activate puts a tenant where it belongs after anything about it has changed.
func (q *Queue) activate(t *tenant) {
	c := &q.classes[t.key.class]
	able := len(t.items) > 0 && (q.cfg.MaxPerTenant == 0 || t.running < q.cfg.MaxPerTenant)
	switch {
	case able && t.place == 0:
		heap.Push(&c.active, t)
	case able:
		heap.Fix(&c.active, t.place-1)
	case t.place > 0:
		heap.Remove(&c.active, t.place-1)
	}
}

// forget drops a tenant that has nothing waiting or under way, and was not
// served beyond its share.
func (q *Queue) forget(t *tenant) {
	if len(t.items) == 0 && t.running == 0 && t.tag <= q.classes[t.key.class].virtual {
		delete(q.tenants, t.key)
	}
}

// tenantHeap orders tenants by start tag, then by their oldest call.
type tenantHeap []*tenant

func (h tenantHeap) Len() int { return len(h) }

func (h tenantHeap) Less(i, j int) bool {
	if h[i].tag != h[j].tag {
		return h[i].tag < h[j].tag
	}
	return h[i].items[0].Seq < h[j].items[0].Seq
}

func (h tenantHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

// Push implements [heap.Interface].
func (h *tenantHeap) Push(x any) {
	t := x.(*tenant)
	*h = append(*h, t)
	t.place = len(*h)
}

// Pop implements [heap.Interface].
func (h *tenantHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil // do not keep it alive
	*h = (*h)[:last]
	t.place = 0
	return t
}

// itemHeap orders a tenant's calls by arrival.
type itemHeap []*Item

func (h itemHeap) Len() int           { return len(h) }
func (h itemHeap) Less(i, j int) bool { return h[i].Seq < h[j].Seq }

func (h itemHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

// Push implements [heap.Interface].
func (h *itemHeap) Push(x any) {
	it := x.(*Item)
	*h = append(*h, it)
	it.place = len(*h)
}

// Pop implements [heap.Interface].
func (h *itemHeap) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil // do not keep it alive
	*h = (*h)[:last]
	it.place = 0
	return it
}

package fair

import (
	"cmp"
	"slices"
)

// Order lists the waiting items in the order in which they will go if nobody
// else comes, nobody leaves and all costs are as expected. Guaranteed shares
// of lower classes are not foreseen, and calls of busy tenants and sessions
// stand where they would stand if these were free. O(n log n).
func (q *Queue) Order() []*Item {
	type planned struct {
		it  *Item
		tag float64
	}
	plan := make([]planned, 0, q.size)
	for _, t := range q.tenants {
		waiting := slices.Clone(t.items)
		slices.SortFunc(waiting, func(a, b *Item) int { return cmp.Compare(a.Seq, b.Seq) })
		tag := t.tag
		for _, it := range waiting {
			plan = append(plan, planned{it, tag})
			tag += it.Cost / t.share()
		}
	}
	for _, s := range q.sessions {
		for _, it := range s.parked {
			plan = append(plan, planned{it, it.tenant.tag})
		}
	}
	for i := range plan {
		if it := plan[i].it; it == q.classes[it.Class].pinned {
			plan[i].tag = -1 // it goes before its class, whatever its tenant has used
		}
	}
	slices.SortFunc(plan, func(a, b planned) int {
		return cmp.Or(cmp.Compare(a.it.Class, b.it.Class), cmp.Compare(a.tag, b.tag), cmp.Compare(a.it.Seq, b.it.Seq))
	})
	out := make([]*Item, len(plan))
	for i, p := range plan {
		out[i] = p.it
	}
	return out
}

package keys

import (
	"time"

	"github.com/weir-gateway/weir/call"
)

// Check asks to find out whether a key of the pool can pay again, by a call of
// the model that it could not pay for.
type Check struct {
	Key   call.Key
	Model string
}

// Blocked hears when a block has come, so that whoever waits for [Room.Due]
// waits for no other.
func (r *Room) Blocked() <-chan struct{} { return r.blocked }

// Due lists the checks whose time has come, one for each block, and says when
// to ask again; the zero time if there is nothing to check. What it lists counts
// as being looked at. A block of which the model is not known is left to the
// calls.
func (r *Room) Due(now time.Time) (due []Check, next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	for _, key := range r.keys() {
		for _, scope := range r.scopes(key) {
			b := r.blocks[scope]
			if b == nil || b.model == "" || b.over(now) || seen[scope] {
				continue
			}
			seen[scope] = true
			if !now.Before(b.recheck) {
				b.looked(now)
				due = append(due, Check{Key: key, Model: b.model})
			}
			if next.IsZero() || b.recheck.Before(next) {
				next = b.recheck
			}
		}
	}
	return due, next
}

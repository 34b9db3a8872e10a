package sentinel

import (
	"strconv"
	"sync"
	"time"
)

// names hands out prefixes of resource names. Sentinel never forgets a
// resource that it has counted (2 KB each), so the prefixes are used again,
// when what was counted under them is too old to matter.
type names struct {
	mu   sync.Mutex
	made int
	free []freed // the longest free first
}

type freed struct {
	prefix string
	at     time.Time
}

// forgotten is longer than Sentinel's windows of a resource, which are 10 s.
const forgotten = 20 * time.Second

func (n *names) take(now time.Time) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.free) > 0 && now.Sub(n.free[0].at) > forgotten {
		first := n.free[0]
		n.free = n.free[1:]
		return first.prefix
	}
	n.made++
	return "weir/protection/" + strconv.Itoa(n.made) + "/"
}

func (n *names) give(now time.Time, prefix string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.free = append(n.free, freed{prefix, now})
}

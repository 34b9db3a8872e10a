package estimate

// Len is the number of subjects remembered.
func (r *Room) Len() int { return len(r.seen) }

// Prefixes is the number of cached prefixes remembered.
func (r *Room) Prefixes() int { return len(r.prefixes.entries) }

package estimate

// Len is the number of subjects remembered.
func (r *Room) Len() int { return len(r.seen) }

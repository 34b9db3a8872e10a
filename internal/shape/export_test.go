package shape

// Remembered is how many beginnings, counts of conversations and purses are
// remembered.
func (b *Breakpoints) Remembered() (seen, going, purses int) {
	return len(b.habits.seen), len(b.habits.going), len(b.habits.purses)
}

// The bounds of what is remembered, and the purse that a tenant begins with.
const (
	MaxSeen    = maxSeen
	MaxGoing   = maxGoing
	MaxPurses  = maxPurses
	FirstPurse = firstPurse
	PurseShare = purseShare
)

package batch

import (
	"sync"
	"time"
)

// Progress is how far a run is. It is safe for concurrent use.
type Progress struct {
	mu    sync.Mutex // guards the rest
	state State
	began time.Time
}

// State is a picture of a [Progress].
type State struct {
	Total    int // requests of the file
	Before   int // finished by earlier runs
	Done     int // finished by this one
	Failed   int // of Done
	UnderWay int // being answered now
	Repeats  int // sent again after a failure that passes
	Note     string
	Took     time.Duration
}

// Begin starts the clock.
func (p *Progress) Begin(total, before int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Total, p.state.Before, p.began = total, before, time.Now()
}

// finished counts a result.
func (p *Progress) finished(r Result) {
	p.update(func(s *State) {
		s.Done++
		if r.Type != Succeeded {
			s.Failed++
		}
	})
}

func (p *Progress) update(f func(*State)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.state)
}

// State returns the present picture.
func (p *Progress) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	if !p.began.IsZero() {
		s.Took = time.Since(p.began)
	}
	return s
}

// Left is how long the rest will take at the pace so far, or 0 if that is not
// known.
func (s State) Left() time.Duration {
	if s.Done == 0 {
		return 0
	}
	return time.Duration(float64(s.Took) / float64(s.Done) * float64(s.Total-s.Before-s.Done))
}

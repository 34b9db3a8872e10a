package weir

import "fmt"

// WithoutRetries hands a call's first failure to its caller, as a program
// wants it that is being written. Calls still wait for quota, and still move on
// from an account that cannot pay to one that can.
func WithoutRetries() Option {
	return func(s *settings) error {
		s.noRetry = true
		return nil
	}
}

// WithAtOnce bounds how many calls are under way at once, whoever pays; one more
// waits its turn, the more urgent class first, until its deadline. 0: as many as
// the quota bears.
func WithAtOnce(calls int) Option {
	return func(s *settings) error {
		if calls < 0 {
			return fmt.Errorf("%d calls cannot be under way at once", calls)
		}
		s.queue.AtOnce = calls
		return nil
	}
}

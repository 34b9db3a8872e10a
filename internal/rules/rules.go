// Package rules tells where rule documents come from and when they change: a
// folder of files, or etcd. It does not read the rules themselves. Whoever
// takes them over is handed the whole set at every change, and says whether it
// will have it; a set that is refused leaves the last good one in force.
package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Set is all rule documents at one moment, by the name of their file. A kind
// that has no document is absent. Whoever gets a Set must not change it.
type Set map[string][]byte

// The documents, one for each kind of rule.
const (
	Flow           = "flow.json"
	Isolation      = "isolation.json"
	Hotspot        = "hotspot.json"
	System         = "system.json"
	CircuitBreaker = "circuitbreaker.json"
)

// Names lists the documents that there can be.
func Names() []string { return []string{CircuitBreaker, Flow, Hotspot, Isolation, System} }

// maxDocument bounds a document. etcd takes no larger value by default.
const maxDocument = 1 << 20

// Apply takes over all of a set, or nothing of it and says why.
type Apply func(Set) error

// follower hands changes on and keeps what is wrong with the source. Its
// methods but [follower.Err] are for one goroutine at a time.
type follower struct {
	apply   Apply
	log     *slog.Logger
	current Set             // in force; nil: none yet
	strange map[string]bool // unknown names that have been told of

	mu      sync.Mutex
	refused error // why the newest set is not in force; guarded by mu
	lost    error // why the source cannot be asked; guarded by mu
}

// Err says why the rules in force may not be those of the source, or returns
// nil. The rules in force are good all the same.
func (f *follower) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.lost, f.refused)
}

// offer hands a set on unless it is in force already, and reports whether it
// was taken over.
func (f *follower) offer(next Set) (changed bool, err error) {
	if f.current != nil && maps.EqualFunc(next, f.current, bytes.Equal) {
		return false, nil
	}
	if err := whole(next); err != nil {
		return false, err
	}
	if err := f.apply(next); err != nil {
		return false, err
	}
	f.current = next
	return true, nil
}

// refuse keeps and logs, once, why the newest set is not in force; nil says
// that it is.
func (f *follower) refuse(err error) {
	f.mu.Lock()
	again := err == nil || f.refused != nil && f.refused.Error() == err.Error()
	f.refused = err
	f.mu.Unlock()
	if !again {
		f.log.Error("the new rules are not valid, the old ones stay", "cause", err)
	}
}

// forget lets a fault that has been logged be logged once more.
func (f *follower) forget() {
	f.mu.Lock()
	f.refused = nil
	f.mu.Unlock()
}

// known reports whether a document of this name is used, and logs, once, if
// it is not.
func (f *follower) known(name string) bool {
	if slices.Contains(Names(), name) {
		return true
	}
	if !f.strange[name] && len(f.strange) < maxStrange {
		if f.strange == nil {
			f.strange = map[string]bool{}
		}
		f.strange[name] = true
		f.log.Warn("this rule document is not used", "name", name, "hint", "there are "+strings.Join(Names(), ", "))
	}
	return false
}

// maxStrange bounds the unknown names that are told of.
const maxStrange = 100

// whole reports documents that are not JSON, such as half-written and empty
// ones, before anybody looks for rules in them.
func whole(set Set) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(set)) {
		var document json.RawMessage
		if len(set[name]) > maxDocument {
			errs = append(errs, tooLarge(name))
		} else if err := json.Unmarshal(set[name], &document); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func tooLarge(name string) error {
	return fmt.Errorf("%s: more than %d bytes", name, maxDocument)
}

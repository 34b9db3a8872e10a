package keys

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/weir-gateway/weir/call"
)

// remembered is what outlives a restart: which key belongs to which
// organization, and what is blocked. Keys appear by fingerprint alone.
type remembered struct {
	Owners map[string]string  `json:"owners"`
	Blocks map[string]blocked `json:"blocks"` // by organization or fingerprint
}

type blocked struct {
	Kind      string    `json:"kind"`
	Status    int       `json:"status"`
	Type      string    `json:"type"`
	Code      string    `json:"code,omitempty"`
	Workspace bool      `json:"workspace,omitempty"`
	Message   string    `json:"message"`
	Model     string    `json:"model,omitempty"` // to re-check it with
	Since     time.Time `json:"since"`
	Until     time.Time `json:"until,omitzero"`
}

// Changed hears when there is something new to remember. It may hear once for
// several changes.
func (r *Room) Changed() <-chan struct{} { return r.changed }

// tell wakes whoever listens.
func tell(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default: // it has not read the last one yet
	}
}

// Remember writes down what is to outlive a restart.
func (r *Room) Remember() ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := remembered{Owners: r.owner, Blocks: map[string]blocked{}}
	for scope, b := range r.blocks {
		v := b.verdict
		m.Blocks[scope] = blocked{
			Kind: v.Kind.String(), Status: v.Status, Type: v.Type, Code: v.Code,
			Workspace: v.Workspace, Message: v.Message, Model: b.model, Since: b.since, Until: v.Until,
		}
	}
	return json.MarshalIndent(m, "", "  ")
}

// Recall takes over what Remember wrote in an earlier life. Blocks that have
// ended since are dropped; each of the others is due for a re-check.
func (r *Room) Recall(now time.Time, data []byte) error {
	var m remembered
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("recall the accounts' states: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.owner, m.Owners)
	for scope, b := range m.Blocks {
		kind, known := kindOf(b.Kind)
		if !known || (!b.Until.IsZero() && !now.Before(b.Until)) {
			continue
		}
		r.blocks[scope] = &block{since: b.Since, recheck: now, every: Recheck, model: b.Model, verdict: call.Verdict{
			Kind: kind, Status: b.Status, Type: b.Type, Code: b.Code, Workspace: b.Workspace,
			Message: b.Message, Until: b.Until,
		}}
	}
	r.bound()
	tell(r.blocked)
	return nil
}

func kindOf(name string) (call.Kind, bool) {
	for k := call.OK; k <= call.Unreachable; k++ {
		if k.String() == name {
			return k, call.Verdict{Kind: k}.Account()
		}
	}
	return 0, false
}

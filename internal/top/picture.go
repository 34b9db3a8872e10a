package top

import (
	"time"

	"github.com/weir-gateway/weir/call"
)

// Picture is one event of /api/v1/events: everything as it is at one instant.
type Picture struct {
	At          time.Time             `json:"at"`
	Version     string                `json:"version"`
	Quota       call.QuotaReport      `json:"quota"`
	Queue       call.QueueReport      `json:"queue"`
	Protection  call.ProtectionReport `json:"protection"`
	Degradation call.LadderReport     `json:"degradation"`
	Warnings    []Warning             `json:"warnings"` // nil: the gateway has none
	Recent      Tally                 `json:"recent"`
	Requests    []Request             `json:"requests"` // newest first
}

// Tally counts the calls of the last minute.
type Tally struct {
	Answered    int     `json:"answered"`
	RateLimited int     `json:"status_429"`
	WaitP50     float64 `json:"wait_p50_s"`
	WaitP95     float64 `json:"wait_p95_s"`
}

// Request is one finished call.
type Request struct {
	At       time.Time `json:"at"`
	Endpoint string    `json:"endpoint"`
	Model    string    `json:"model"`
	Tenant   string    `json:"tenant"`
	Class    string    `json:"class"`
	Status   int       `json:"status"`
	Outcome  string    `json:"outcome"`
	Reason   string    `json:"reason"`
	Waited   float64   `json:"waited_s"`
	Took     float64   `json:"took_s"`
	Attempts int       `json:"attempts"`
	Usage    struct {
		Input      int64 `json:"input_tokens"`
		CacheWrite int64 `json:"cache_write_tokens"`
		CacheRead  int64 `json:"cache_read_tokens"`
		Output     int64 `json:"output_tokens"`
	} `json:"usage"`
}

// Warning is what people are to know before it hurts, in all languages.
type Warning struct {
	Kind  string                 `json:"kind"`
	Level string                 `json:"level"` // notice, warning or critical
	Text  map[string]WarningText `json:"text"`
}

// WarningText is a warning in one language.
type WarningText struct {
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// state sums the picture up, as the live page does.
func (p *Picture) state() string {
	known := len(p.Quota.Buckets) > 0
	blocked, usable := 0, 0
	for _, k := range p.Quota.Keys {
		if k.State == "ok" {
			usable++
		} else {
			blocked++
		}
	}
	failing := false
	for _, b := range p.Protection.Breakers {
		failing = failing || b.State != "closed"
	}
	switch {
	case blocked > 0 && usable == 0:
		return "blocked"
	case failing:
		return "failing"
	case blocked > 0:
		return "partly"
	case !known:
		return "unknown"
	}
	return p.Quota.State
}

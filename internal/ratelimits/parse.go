package ratelimits

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/weir-gateway/weir/call"
)

// Entry is the limits of one pool. Only those of type "model_group" are for
// messages; batches, token counting, files and the like have pools of their
// own.
type Entry struct {
	ID     string // stable across organizations
	Name   string // for people
	Type   string
	Models []string
	// Limits are per minute; 0 where there is none.
	Limits [call.NumLimiters]float64
	// CountCached says that the input limit counts cache reads too.
	CountCached bool
	// Other holds the limiters of further types, as the API names them.
	Other map[string]float64
}

// ModelGroup is the type of the pools for messages.
const ModelGroup = "model_group"

// wirePage is one page of either endpoint. The versions of the API differ:
// since 2026-10-21 there is a group, before there was a group_type (Anthropic
// docs, rate limits API).
type wirePage struct {
	Data []struct {
		ID    string `json:"id"`
		Group struct {
			Type        string `json:"type"`
			ID          string `json:"id"`
			DisplayName string `json:"display_name"`
		} `json:"group"`
		GroupType string   `json:"group_type"`
		Models    []string `json:"models"`
		Limits    []struct {
			Type  string   `json:"type"`
			Value *float64 `json:"value"`
		} `json:"limits"`
	} `json:"data"`
	NextPage string `json:"next_page"`
}

// Parse reads one page, and the token of the next one if there is any. What it
// does not know it keeps as it is or passes over.
func Parse(data []byte) (entries []Entry, next string, err error) {
	var page wirePage
	if err := json.Unmarshal(data, &page); err != nil {
		return nil, "", fmt.Errorf("read rate limits: %w", err)
	}
	for _, d := range page.Data {
		e := Entry{
			ID: cmp.Or(d.Group.ID, d.ID), Type: cmp.Or(d.Group.Type, d.GroupType, ModelGroup),
			Models: d.Models,
		}
		if e.ID == "" && len(e.Models) > 0 {
			e.ID = e.Models[0] // entries had no id at first
		}
		e.Name = cmp.Or(d.Group.DisplayName, e.ID)
		whole := 0.0
		for _, l := range d.Limits {
			if l.Value == nil || !(*l.Value > 0) {
				continue // no limit
			}
			switch l.Type {
			case "requests_per_minute":
				e.Limits[call.Requests] = *l.Value
			case "input_tokens_per_minute_cache_aware":
				e.Limits[call.InputTokens] = *l.Value
			case "input_tokens_per_minute":
				whole = *l.Value
			case "output_tokens_per_minute":
				e.Limits[call.OutputTokens] = *l.Value
			default:
				e.keep(l.Type, *l.Value)
			}
		}
		if e.Limits[call.InputTokens] == 0 {
			e.Limits[call.InputTokens], e.CountCached = whole, whole > 0
		} else if whole > 0 {
			e.keep("input_tokens_per_minute", whole)
		}
		entries = append(entries, e)
	}
	return entries, page.NextPage, nil
}

func (e *Entry) keep(kind string, value float64) {
	if e.Other == nil {
		e.Other = map[string]float64{}
	}
	e.Other[kind] = value
}

// Under returns the entries with the overrides of a workspace applied: of each
// limit, the lower one is enforced.
func Under(entries, overrides []Entry) []Entry {
	byID := map[string]Entry{}
	for _, o := range overrides {
		byID[o.ID] = o
	}
	out := make([]Entry, len(entries))
	for i, e := range entries {
		o := byID[e.ID]
		for l, limit := range o.Limits {
			if limit > 0 && (e.Limits[l] == 0 || limit < e.Limits[l]) {
				e.Limits[l] = limit
				if call.Limiter(l) == call.InputTokens {
					e.CountCached = o.CountCached
				}
			}
		}
		out[i] = e
	}
	return out
}

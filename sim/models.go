package sim

import (
	"slices"
	"strconv"
)

// modelInfo is a model as GET /v1/models describes it.
type modelInfo struct {
	Type           string         `json:"type"`
	ID             string         `json:"id"`
	DisplayName    string         `json:"display_name"`
	CreatedAt      string         `json:"created_at"`
	MaxInputTokens int            `json:"max_input_tokens"`
	MaxTokens      int            `json:"max_tokens"`
	Capabilities   map[string]any `json:"capabilities"`
	Lifecycle      string         `json:"lifecycle"`
	RetiresAt      string         `json:"retires_at"`
}

// modelList is one page.
type modelList struct {
	Data    []modelInfo `json:"data"`
	FirstID *string     `json:"first_id"`
	HasMore bool        `json:"has_more"`
	LastID  *string     `json:"last_id"`
}

func (m *model) info() modelInfo {
	can := map[string]bool{"supported": true}
	return modelInfo{
		Type: "model", ID: m.ID, DisplayName: m.Name, CreatedAt: m.Created + "T00:00:00Z",
		MaxInputTokens: m.Context, MaxTokens: m.MaxOutput,
		Capabilities: map[string]any{"batch": can, "image_input": can, "pdf_input": can, "thinking": can},
		Lifecycle:    m.Lifecycle, RetiresAt: m.Retires + "T00:00:00Z",
	}
}

// page returns the models that the query asks for, newest first. Retired ones
// are not listed.
func (x *exchange) page() (modelList, *apiError) {
	query := x.r.URL.Query()
	limit := 20
	if s := query.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1000 {
			return modelList{}, invalid("limit: Input should be between 1 and 1000")
		}
		limit = n
	}
	all := slices.DeleteFunc(slices.Clone(x.catalog.Models), func(m *model) bool {
		return m.Lifecycle == "retired" && !x.who.organization.rules.ServeRetired
	})
	at := func(id string) int { return slices.IndexFunc(all, func(m *model) bool { return m.ID == id }) }
	after, before := query.Get("after_id"), query.Get("before_id")
	var more bool
	switch {
	case after != "" && before != "":
		return modelList{}, invalid("after_id, before_id: only one of them may be given")
	case after != "" && at(after) < 0, before != "" && at(before) < 0:
		return modelList{}, invalid("after_id, before_id: not the id of a model")
	case before != "":
		all = all[:at(before)]
		more = len(all) > limit
		all = all[max(0, len(all)-limit):]
	default:
		all = all[at(after)+1:] // from the first where there is no after_id
		more = len(all) > limit
		all = all[:min(limit, len(all))]
	}
	list := modelList{Data: []modelInfo{}, HasMore: more}
	for _, m := range all {
		list.Data = append(list.Data, m.info())
	}
	if n := len(list.Data); n > 0 {
		list.FirstID, list.LastID = &list.Data[0].ID, &list.Data[n-1].ID
	}
	return list, nil
}

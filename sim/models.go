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
	all := slices.DeleteFunc(slices.Clone(x.catalog.Models), func(m *model) bool {
		return m.Lifecycle == "retired" && !x.who.organization.rules.ServeRetired
	})
	p, err := x.pageOf(len(all), func(id string) int {
		return slices.IndexFunc(all, func(m *model) bool { return m.ID == id })
	})
	if err != nil {
		return modelList{}, err
	}
	list := modelList{Data: []modelInfo{}, HasMore: p.more}
	for _, m := range all[p.from:p.to] {
		list.Data = append(list.Data, m.info())
	}
	if n := len(list.Data); n > 0 {
		list.FirstID, list.LastID = &list.Data[0].ID, &list.Data[n-1].ID
	}
	return list, nil
}

// pageSpan is the part of a list that is asked for.
type pageSpan struct {
	from, to int
	more     bool // beyond it, in the direction that was asked for
}

// pageOf returns the part of n entries that the query asks for by limit,
// after_id and before_id; at finds an id.
func (x *exchange) pageOf(n int, at func(id string) int) (pageSpan, *apiError) {
	query := x.r.URL.Query()
	limit := 20
	if s := query.Get("limit"); s != "" {
		l, err := strconv.Atoi(s)
		if err != nil || l < 1 || l > 1000 {
			return pageSpan{}, invalid("limit: Input should be between 1 and 1000")
		}
		limit = l
	}
	from := 0
	switch after, before := query.Get("after_id"), query.Get("before_id"); {
	case after != "" && before != "":
		return pageSpan{}, invalid("after_id, before_id: only one of them may be given")
	case after != "" && at(after) < 0, before != "" && at(before) < 0:
		return pageSpan{}, invalid("after_id, before_id: not an id of this list")
	case before != "":
		to := at(before)
		return pageSpan{max(0, to-limit), to, to > limit}, nil
	case after != "":
		from = at(after) + 1
	}
	to := min(from+limit, n)
	return pageSpan{from, to, to < n}, nil
}

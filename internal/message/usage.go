package message

import "github.com/weir-gateway/weir/call"

// Usage is the usage object of a message, and of the events of its stream.
// message_delta is cumulative, and may hold output_tokens alone.
type Usage struct {
	Input      *call.Tokens `json:"input_tokens"`
	CacheWrite *call.Tokens `json:"cache_creation_input_tokens"`
	CacheRead  *call.Tokens `json:"cache_read_input_tokens"`
	Output     *call.Tokens `json:"output_tokens"`

	Writes struct {
		Hour *call.Tokens `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	Server struct {
		Searches *call.Tokens `json:"web_search_requests"`
	} `json:"server_tool_use"`
	Tier  string `json:"service_tier"`
	Speed string `json:"speed"`
	Geo   string `json:"inference_geo"`
}

// Over returns what is known when w comes after u: a missing, null or negative
// field leaves what was known before.
func (w *Usage) Over(u call.Usage) call.Usage {
	u.Fast, u.Batch, u.US = u.Fast || w.Speed == "fast", u.Batch || w.Tier == "batch", u.US || w.Geo == "us"
	if w.Server.Searches != nil && *w.Server.Searches >= 0 {
		u.Searches = int64(*w.Server.Searches)
	}
	for _, f := range []struct {
		from *call.Tokens
		to   *call.Tokens
	}{{w.Input, &u.Input}, {w.CacheWrite, &u.CacheWrite}, {w.CacheRead, &u.CacheRead}, {w.Output, &u.Output}, {w.Writes.Hour, &u.HourWrite}} {
		if f.from != nil && *f.from >= 0 {
			*f.to = *f.from
		}
	}
	return u
}

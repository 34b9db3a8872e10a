package bench

import (
	"fmt"
	"io"
	"time"
)

// AgentsDay is a number of agents with a result for each [Marking].
type AgentsDay struct {
	Agents  Agents
	Results []AgentsResult
}

const agentsPreamble = `# The prompt-caching benchmark

Coding agents such as Claude Code behind one gateway and one quota: about 17,000 tokens of tools and instructions that
all of them share, and conversations of 15 to 55 turns that grow by calls of tools and their results. The API is Weir's
simulator, which keeps its prompt cache by the documented rules: entries apart for each workspace, readable once the first
answer has begun, for 5 minutes from the last use; at most 20 blocks before a mark; a minimum length; reads are free
of the input limit. Time is virtual (testing/synctest).

- **no marks**: the agents set no ` + "`cache_control`" + `.
- **Weir's marks**: the same requests, and the gateway sets the marks (` + "`cache: {prompt: {enable: true}}`" + `).
- **the client's own marks**: the agents set them as Claude Code does, and the gateway leaves them alone.

"Input admitted" is all input tokens of answered requests a minute, cached or not; "charged" is what the input limiter
counted of them. Where it is below the limit, the agents asked for no more. Dollars are list prices, output included.

`

// WriteAgents prints the page docs/benchmarks/prompt-caching.md.
func WriteAgents(w io.Writer, m Machine, days []AgentsDay) error {
	p := &page{}
	p.WriteString(agentsPreamble)
	p.line("Made by `%s` at %s, %s, on %d cores, in %v.", m.Command, m.Revision, m.Go, m.Cores, m.Took.Round(time.Second))
	for _, d := range days {
		a := d.Agents
		p.line("\n## %d agents, %d input tokens a minute, measured for %v\n", a.Agents, a.Limits.InputTokens, a.Span)
		p.cells("", "input admitted / min", "times", "charged / min", "read from the cache", "answers", "$ per million input", "429s seen", "upstream 429s")
		p.cells("---", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:")
		for _, r := range d.Results {
			p.cells(r.Marking.String(), fmt.Sprintf("%.0f", r.Input()), fmt.Sprintf("%.1f", r.Input()/d.Results[NoMarks].Input()),
				fmt.Sprintf("%.0f", r.Charged/r.Span.Minutes()), percent(r.Freed()/r.Input()), fmt.Sprint(r.Answered),
				fmt.Sprintf("%.2f", float64(r.PerMillion())/1e12), fmt.Sprint(r.Refused), fmt.Sprint(r.Surprises))
		}
	}
	_, err := io.WriteString(w, p.String())
	return err
}

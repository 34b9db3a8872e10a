package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// askProgress tells on stderr how far an answer is: in place on a terminal, else
// a line when something has changed.
type askProgress struct {
	// Static after newAskProgress.
	out     io.Writer
	live    bool
	began   time.Time
	plan    askPlan
	waiting func(context.Context, string) (call.WaiterReport, bool)

	mu          sync.Mutex
	id          string        // Guarded by mu; of the call, once it is known.
	done, total int           // Guarded by mu; parts.
	at          time.Duration // Guarded by mu; when done rose last.
	bytes       int           // Guarded by mu; of the answer, so far.
	silent      bool          // Guarded by mu; the answer itself is on the terminal.
	last        string        // Guarded by mu; what was told last.
}

func newAskProgress(e env, plan askPlan, waiting func(context.Context, string) (call.WaiterReport, bool)) *askProgress {
	return &askProgress{out: e.stderr, live: isTerminal(e.stderr), began: time.Now(), plan: plan, waiting: waiting}
}

// start begins to tell, until the returned function has been called, or ctx ends.
func (p *askProgress) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	every := time.Second
	if !p.live {
		every = 10 * time.Second
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.look(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.hush()
	})
}

// look asks where the call waits, and tells.
func (p *askProgress) look(ctx context.Context) {
	p.mu.Lock()
	id := p.id
	if p.bytes > 0 || p.total > 0 {
		id = "" // it waits no more
	}
	p.mu.Unlock()
	text := ""
	if id != "" {
		if w, ok := p.waiting(ctx, id); ok {
			text = waitText(w)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if text == "" {
		text = p.text()
	}
	p.say(text)
}

// answered takes the call's id, which comes with the header of its answer.
func (p *askProgress) answered(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id = id
}

// parts takes how many parts are answered.
func (p *askProgress) parts(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.live && done == p.done && total == p.total {
		return // another time to go is no news
	}
	if done > p.done {
		p.at = time.Since(p.began)
	}
	p.done, p.total = done, total
	p.say(p.text())
}

// piece takes a piece of the answer; shown: it goes to the same terminal, which
// is its own from now on.
func (p *askProgress) piece(text string, shown bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes += len(text); shown && !p.silent {
		p.hush()
	}
}

// hush wipes the line away, and says nothing more.
func (p *askProgress) hush() {
	if p.live && p.last != "" {
		io.WriteString(p.out, "\r\x1b[K")
	}
	p.last, p.silent = "", true
}

// say tells what is new.
func (p *askProgress) say(text string) {
	if p.silent || text == "" || !p.live && text == p.last {
		return
	}
	p.last = text
	if p.live {
		fmt.Fprintf(p.out, "\r\x1b[K%s · %s", text, time.Since(p.began).Round(time.Second))
		return
	}
	fmt.Fprintf(p.out, "weir: %s\n", text)
}

func waitText(w call.WaiterReport) string {
	text := fmt.Sprintf("waits for quota, position %d", w.Position)
	if w.ETA != nil {
		text += fmt.Sprintf(", about %s", rounded(*w.ETA))
	}
	return text
}

// bytesPerToken is what a token of an answer has, about.
const bytesPerToken = 4

// text is how far the answer is. Without a terminal only parts are worth a line.
func (p *askProgress) text() string {
	switch {
	case p.total > 0:
		text := fmt.Sprintf("%d of %d parts answered", p.done, p.total)
		if p.live {
			text = bar(p.done, p.total) + " " + text
		}
		return text + p.outlook()
	case !p.live:
		return ""
	case p.bytes > 0:
		return fmt.Sprintf("answering, about %d of at most %d tokens", p.bytes/bytesPerToken, p.plan.MaxTokens)
	}
	return "asked"
}

// outlook is when the rest will be there, by the parts so far or by the quota,
// whichever is later, and what it has cost by what it may cost at most.
func (p *askProgress) outlook() (text string) {
	passed, left := time.Since(p.began), time.Duration(0)
	if p.done > 0 {
		left = p.at*time.Duration(p.total-p.done)/time.Duration(p.done) - (passed - p.at)
	}
	if p.plan.Wait != nil {
		left = max(left, rounded(*p.plan.Wait)-passed)
	}
	if left >= time.Second {
		text = fmt.Sprintf(", about %s to go", left.Round(time.Second))
	}
	if p.plan.Requests > 1 {
		share := min(1, float64(p.done)/float64(p.plan.Requests))
		text += fmt.Sprintf(", about %d tokens read", call.Tokens(share*float64(p.plan.Input)))
		if p.plan.Priced {
			text += fmt.Sprintf(", $%s at most so far", cents(call.USD(share*float64(p.plan.MaxCost))))
		}
	}
	return text
}

// bar draws how much of the whole is done.
func bar(done, total int) string {
	const width = 24
	full := min(width, width*done/max(total, 1))
	return "[" + strings.Repeat("█", full) + strings.Repeat("░", width-full) + "]"
}

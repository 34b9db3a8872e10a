package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/weir-gateway/weir/internal/batch"
)

// batchLine tells on stderr how a run goes: in place on a terminal, a line
// every few seconds elsewhere.
type batchLine struct {
	liveLine
	state *batch.Progress
	last  string // of what was told elsewhere
	stop  chan struct{}
	ended chan struct{}
}

func newBatchLine(out io.Writer, state *batch.Progress) *batchLine {
	return &batchLine{liveLine: newLiveLine(out), state: state, stop: make(chan struct{}), ended: make(chan struct{})}
}

// begin says what is about to be done, and goes on until end.
func (l *batchLine) begin(r *batchRun) {
	s := r.state.State()
	how := fmt.Sprintf("one by one, %d at once", r.concurrency)
	if r.mode == modeBatches {
		how = "by the Message Batches API"
	}
	fmt.Fprintf(l.out, "weir: %d requests to %s %s; %d are answered already\n", s.Total, r.gateway, how, s.Before)
	go func() {
		defer close(l.ended)
		tick := time.NewTicker(l.every)
		defer tick.Stop()
		for {
			select {
			case <-l.stop:
				return
			case <-tick.C:
				l.show()
			}
		}
	}()
}

func (l *batchLine) show() {
	text := batchBar(l.state.State(), l.live)
	if l.live {
		text = "\r\x1b[K" + text
	} else if text == l.last {
		return
	} else {
		l.last = text
		text += "\n"
	}
	_, _ = io.WriteString(l.out, text) // talk: who does not listen misses nothing
}

func (l *batchLine) end() {
	close(l.stop)
	<-l.ended
	l.liveLine.end()
}

const barWidth = 24

// batchBar is one picture of the progress.
func batchBar(s batch.State, bar bool) string {
	done := s.Before + s.Done
	var b strings.Builder
	if bar {
		full := barWidth * done / max(1, s.Total)
		b.WriteString("[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "] ")
	}
	fmt.Fprintf(&b, "%d of %d (%d %%), %d failed, %d under way", done, s.Total, 100*done/max(1, s.Total), s.Failed, s.UnderWay)
	if s.Done > 0 && s.Took > 0 {
		fmt.Fprintf(&b, ", %.1f a second", float64(s.Done)/s.Took.Seconds())
	}
	if left := s.Left(); left > 0 {
		fmt.Fprintf(&b, ", %s left", left.Round(time.Second))
	}
	if s.Note != "" {
		b.WriteString("; " + s.Note)
	}
	return b.String()
}

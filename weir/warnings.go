package weir

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/warn"
)

// Warnings says when people are warned. The zero Warnings are the defaults.
type Warnings struct {
	// Thresholds are percentages of a bucket that is left. The first that is
	// passed is worth a notice, the last is critical. Nil: 20, 10, 5; empty: none.
	Thresholds []int
	// Forecast warns of a bucket that will be empty so soon. 0: a minute;
	// negative: never.
	Forecast time.Duration
	// Budget is the percentage of a budget that is spent. 0: 80; negative: never.
	Budget int
	// Observer is told of the warnings that were raised, or have become more
	// urgent, and of those that are over. It must not block.
	Observer func(raised, cleared []call.Warning)
}

func (w Warnings) rules() (warn.Rules, error) {
	return warn.Rules{Thresholds: w.Thresholds, Forecast: w.Forecast, Budget: w.Budget}.Complete()
}

// WithWarnings says when [Gateway.Warnings] has something to say. Only a
// gateway whose [Gateway.Run] runs has warnings.
func WithWarnings(w Warnings) Option {
	return func(s *settings) error {
		_, err := w.rules()
		s.warnings = w
		return err
	}
}

// WithNotifier carries warnings to people. The default is nobody.
func WithNotifier(n call.Notifier) Option {
	return func(s *settings) error {
		s.notifier = n
		return nil
	}
}

// SetWarnings replaces the thresholds while the gateway runs; warnings that are
// active are judged by the new ones. The observer stays. It changes nothing if
// they are not valid.
func (g *Gateway) SetWarnings(w Warnings) error {
	rules, err := w.rules()
	if err == nil {
		g.warner.rules.Store(&rules)
	}
	return err
}

// Warnings lists the active warnings, the most urgent first. They are a second
// old at most. The list must not be changed.
func (g *Gateway) Warnings() []call.Warning {
	if n := g.warner.active.Load(); n != nil {
		return n.list
	}
	return nil
}

// lookEvery is how often the reports are looked at.
const lookEvery = time.Second

// warner looks at the gateway's reports for what people should know of.
type warner struct {
	notifier call.Notifier                        // nil: none
	observer func(raised, cleared []call.Warning) // nil: none

	rules  atomic.Pointer[warn.Rules]
	active atomic.Pointer[notices] // nil: there are no warnings

	watch  warn.Watch // Owned by Run.
	missed int        // Owned by Run: what was logged last.
}

func (w *warner) open(s *settings) {
	w.notifier, w.observer = s.notifier, s.warnings.Observer
	rules, _ := s.warnings.rules() // the option has found its faults
	w.rules.Store(&rules)
}

// warn looks again and again until ctx is done.
func (g *Gateway) warn(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.look(ctx, warn.Reading{Quota: g.Quota(), Protection: g.Protection(), Budgets: g.budgetReadings()})
		}
	}
}

// look takes one reading.
func (g *Gateway) look(ctx context.Context, in warn.Reading) {
	w := &g.warner
	raised, cleared := w.watch.Feed(in.Quota.At, *w.rules.Load(), in)
	w.active.Store(newNotices(w.watch.Active()))
	if missed := w.watch.Missed(); missed > w.missed {
		g.log.Warn("too many warnings at once, the rest is not told", "missed", missed)
		w.missed = missed
	}
	if len(raised)+len(cleared) == 0 {
		return
	}
	if w.notifier != nil {
		w.notifier.Tell(raised, cleared)
	}
	if w.observer != nil {
		w.observer(raised, cleared)
	}
	for i := range raised {
		g.logWarning(ctx, "warning raised", &raised[i], book().Warning("en", raised[i]).Message)
	}
	for i := range cleared {
		g.logWarning(ctx, "warning cleared", &cleared[i], book().Cleared("en", cleared[i]))
	}
}

// logWarning writes the one line that a warning gets when it comes, and when it
// goes.
func (g *Gateway) logWarning(ctx context.Context, message string, w *call.Warning, text string) {
	level := [call.NumWarningLevels]slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError}[w.Level]
	g.log.LogAttrs(ctx, level, message, slog.String("id", w.ID), slog.String("kind", string(w.Kind)),
		slog.String("level", w.Level.String()), slog.String("text", text), slog.String("detail", w.Detail))
}

// warnings tells how many warnings are active, and what became of the messages
// about them.
func (r *reports) warnings(s sheet) {
	for _, w := range r.g.Warnings() {
		s.add(descWarnings, 1, string(w.Kind), w.Level.String())
	}
	if r.g.warner.notifier == nil {
		return
	}
	for _, h := range r.g.warner.notifier.Report() {
		s.add(descWebhooks, float64(h.Count), h.Hook, h.Outcome)
	}
}

package sim

import (
	"net/http"
	"time"
)

// longStall is how long a stall lasts that nobody bounds.
const longStall = 24 * time.Hour

// early applies the faults that come before any answer, and reports whether
// the request is over. m is the model asked for, nil if none was.
func (x *exchange) early(m *model) (over bool) {
	now := x.clock.date(x.began)
	for _, f := range x.upset.faults {
		if e := f.refusal(now); e != nil {
			if f.Delay > 0 && !x.wait(f.Delay.D()) {
				return true
			}
			if f.LimitHeaders && m != nil {
				x.who.organization.look(x.clock.now(), m, x.who.workspace).writeLimits(x.w.Header(), x.clock)
			}
			x.fail(e)
			return true
		}
		if f.AfterEvents > 0 {
			continue
		}
		switch f.Kind {
		case FaultReset:
			x.cut()
			return true
		case FaultStall:
			if !x.stall(f) {
				return true
			}
		}
	}
	return false
}

// stall sends nothing for a while, and reports whether the client waited.
func (x *exchange) stall(f *Fault) bool {
	d := f.Delay.D()
	if d == 0 {
		d = longStall
	}
	return x.wait(d)
}

// cut breaks the connection, hard if that is possible: the client sees a reset
// instead of an end. It does not return if net/http has to do it.
func (x *exchange) cut() {
	x.count()
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0) // best effort: a plain close will do
	}
	_ = conn.Close()
}

package budget

import (
	"time"

	"github.com/weir-gateway/weir/call"
)

// purse is the money of one budget for one subject and one period. Its sums are
// about attempts that this gateway has sent, but for total. It is guarded by
// the room's lock.
type purse struct {
	key     call.Purse
	limit   call.USD
	settled call.USD // what attempts that have ended cost
	held    call.USD // set aside for those under way
	leased  call.USD // what the store has handed out to this gateway
	total   call.USD // what it has handed out to everybody, when it was last asked

	asked   time.Time     // when that was
	asking  chan struct{} // closed when the lease that is being asked for has come; nil: none is
	tidying bool          // somebody gives back what is too much

	queue []*waiter // who waits for the settlement of others, by age
}

// slices is into how many slices a limit is cut.
const slices = 100

func (p *purse) slice() call.USD { return max(p.limit/slices, 1) }

// others is what this gateway cannot spend: the leases of other gateways, and
// those of the past.
func (p *purse) others() call.USD { return max(p.total-p.leased, 0) }

// spent is what is gone, or counts as gone.
func (p *purse) spent() call.USD { return p.settled + p.others() }

// never reports whether an amount does not fit whatever becomes of the attempts
// under way.
func (p *purse) never(amount call.USD) bool { return p.spent()+amount > p.limit }

// blocked reports whether an amount does not fit beside the attempts under way.
func (p *purse) blocked(amount call.USD) bool { return p.spent()+p.held+amount > p.limit }

// free is what may be set aside without another lease.
func (p *purse) free() call.USD { return p.leased - p.settled - p.held }

func (p *purse) hold(amount call.USD) { p.held += amount }

func (p *purse) drop(amount call.USD) { p.held -= amount }

func (p *purse) settle(amount, cost call.USD) {
	p.held -= amount
	p.settled += cost
}

// grant takes what the store has answered.
func (p *purse) grant(now time.Time, granted, total call.USD) {
	p.leased += granted
	p.total, p.asked = total, now
}

// surplus is what is leased and not needed now, but for a slice: at most that
// much is lost in a crash.
func (p *purse) surplus() call.USD {
	if free := p.free(); free > p.slice() {
		return free - p.slice()
	}
	return 0
}

// yield gives up a part of the lease, before the store is told.
func (p *purse) yield(amount call.USD) {
	p.leased -= amount
	p.total -= amount
}

// level says how far the purse is used.
func (p *purse) level(soft int) string {
	switch share := p.share(); {
	case share >= 1:
		return "spent"
	case soft > 0 && share*100 >= float64(soft):
		return "soft"
	}
	return "ok"
}

func (p *purse) share() float64 { return float64(p.spent()) / float64(p.limit) }

package quota

import "time"

// burst models the enforcement of a limit over less than a minute: "60 requests
// per minute may be enforced as one per second" (anthropic-api.md §1.1). It is
// a second bucket with the same refill and a smaller capacity, unknown until a
// 429 comes although the minute's bucket has plenty left.
type burst struct {
	capacity float64 // 0: not enforced as far as is known
	level    float64
	at       time.Time
}

const (
	burstStart  = 1.0 / 6 // first guess of the capacity, as a share of the limit
	burstShrink = 0.5     // after each further surprise
	burstFloor  = 1.0 / 60
	burstStock  = 0.10 // share of the capacity that is left alone
	plenty      = 0.25 // share of the limit above its need at which a 429 is no shortage
)

func (u *burst) advance(now time.Time, rate float64) {
	if dt := now.Sub(u.at).Seconds(); dt > 0 {
		u.level = min(u.capacity, u.level+rate*dt)
		u.at = now
	}
}

// wait is how long need must wait. What is larger than the capacity goes when
// the bucket is nearly full.
func (u *burst) wait(need, rate float64) time.Duration {
	if u.capacity == 0 || rate <= 0 {
		return 0
	}
	return seconds(max(0, min(need+burstStock*u.capacity, fillable*u.capacity)-u.level) / rate)
}

// rejected takes a 429 that the minute's bucket does not explain: need would
// fit after retry.
func (u *burst) rejected(now time.Time, limit, need float64, retry time.Duration) {
	switch {
	case u.capacity == 0:
		u.capacity = burstStart * limit
	default:
		u.capacity = max(u.capacity*burstShrink, burstFloor*limit)
	}
	u.at = now
	u.level = min(u.capacity, need-limit/60*retry.Seconds())
}

package main

import (
	"fmt"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/dash"
)

// outage is a gateway whose upstream fails for one model.
func outage(began time.Time) dash.Source {
	s := small(began)
	s.Degradation = func() call.LadderReport { return onTrial(began) }
	s.Protection = func() call.ProtectionReport {
		now := time.Now()
		retry := now.Truncate(10 * time.Second).Add(10 * time.Second)
		return call.ProtectionReport{
			At: now,
			Breakers: []call.BreakerReport{
				{Scope: "api.anthropic.com/claude-opus-5", State: "open", Since: began, Rule: "outage", Cause: "failing", RetryAt: &retry, Opened: 3},
				{Scope: "api.anthropic.com/claude-sonnet-5", State: "closed", Since: began, Opened: 1},
			},
			Rules: []call.RuleReport{{Rule: "per-tenant", Kind: "hotspot", Resource: "messages", Refused: 12}},
		}
	}
	return s
}

// ladder is one with rungs in force, one that is not, and one whose condition
// fails.
func ladder(began time.Time) call.LadderReport {
	return call.LadderReport{At: time.Now(), Faults: 31, Rungs: []call.RungReport{
		{Rung: "thinking", Enter: "headroom < 0.2", Leave: "headroom > 0.5", Changes: 3, Places: 2, InForce: []call.InForceReport{
			{Class: "normal", Model: "claude-opus-5", Since: began, Values: "headroom = 0.14"},
			{Class: "batch", Model: "claude-sonnet-5", Since: began, Values: "headroom = 0.38"},
		}},
		{Rung: "max_tokens", Enter: `budget > 0.8 || queue_wait > duration("30s")`, Changes: 11, Places: 7, InForce: []call.InForceReport{
			{Class: "batch", Tenant: "batch-import", Model: "claude-opus-5", Since: began, Values: "queue_wait = 4s, budget = 0.9492"},
		}},
		{Rung: "refuse", Enter: "headroom < 0.05", Leave: "headroom > 0.2", Changes: 2},
		{Rung: "trim", Enter: "1 / waiting > 0", Fault: "division by zero"},
	}}
}

// onTrial is a ladder that only counts.
func onTrial(began time.Time) call.LadderReport {
	r := ladder(began)
	r.DryRun, r.Faults, r.Rungs = true, 0, r.Rungs[:3]
	r.Rungs[0].Would, r.Rungs[1].Would = 1204, 88
	return r
}

// blocked is a gateway one of whose accounts has reached its monthly cap.
func blocked(began time.Time) dash.Source {
	s := small(began)
	s.Quota = func() call.QuotaReport {
		r := quota(began, time.Now(), smallPlaces)
		until := began.AddDate(0, 0, 6)
		r.State = "blocked"
		r.Keys = append(r.Keys, call.KeyReport{
			Name: "second", Organization: smallPlaces[2].organization, State: "blocked", Reason: "spend_cap", Block: "spend_cap",
			Message: "Your organization has reached its monthly spend limit.", Since: &began, Until: &until,
		})
		return r
	}
	return s
}

// warnings are what a gateway with plenty to do warns of.
func warnings(began time.Time) []call.Warning {
	left := 0.09
	return []call.Warning{
		{
			ID: "quota/sonnet", Kind: call.QuotaLow, Level: call.Urgent, Since: began,
			Organization: smallPlaces[1].organization, Group: "claude-sonnet-5", Limiter: "input_tokens", Threshold: 10, Left: &left,
		},
		{ID: "budget/batch-import", Kind: call.BudgetLow, Level: call.Notice, Since: began, Scope: "batch-import", Tenant: "batch-import", Threshold: 80, Left: new(0.05)},
	}
}

// The size of the crowd: 67 lanes with three buckets each are 201 buckets.
const (
	crowdLanes   = 67
	crowdWaiting = 10_000
)

// clockGroup is the lane whose first bucket tells the time: its level is the
// millisecond at which it last changed, so that a test can tell how long a
// change took to the page.
const clockGroup = "clock"

// changeEvery is longer than the page may take, so that no change is missed.
const changeEvery = 1130 * time.Millisecond

// crowd is the largest gateway that the page must bear.
func crowd(began time.Time) dash.Source {
	places := make([]place, crowdLanes)
	for i := range places {
		places[i] = place{organization: fmt.Sprintf("org-%02d", i/4), group: fmt.Sprintf("claude-model-%d", i%4), waiting: crowdWaiting / crowdLanes}
	}
	places[0].group = clockGroup
	places[0].waiting += crowdWaiting % crowdLanes
	s := source(began, places)
	s.Quota = func() call.QuotaReport {
		now := time.Now()
		r := quota(began, now, places)
		changed := began.Add(now.Sub(began).Truncate(changeEvery))
		r.Buckets[0].Limit, r.Buckets[0].Remaining = 1e12, changed.UnixMilli()%1e11
		return r
	}
	return s
}

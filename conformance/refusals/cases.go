package refusals

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/sim"
	"github.com/weir-gateway/weir/weir"
)

// plenty is a quota that no case uses up.
var plenty = sim.Limits{Requests: 10_000, InputTokens: 4_000_000, OutputTokens: 1_000_000}

// striking is an API with plenty of quota where things go wrong.
func striking(faults ...sim.Fault) sim.Config {
	return sim.Config{Limits: plenty, Scenario: &sim.Scenario{Faults: faults}}
}

func header(pairs ...string) map[string]string {
	h := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		h[pairs[i]] = pairs[i+1]
	}
	return h
}

// requestCases are refused for what they ask.
func requestCases() []Case {
	own := func(status int, kind, code string) Expect {
		return Expect{Status: status, Type: kind, Code: code, Own: true}
	}
	quiet := state{api: sim.Config{Limits: plenty}}
	small := state{api: sim.Config{Limits: sim.Limits{Requests: 1000, InputTokens: 4000, OutputTokens: 10_000}}, prime: sent(200)}
	guarded := state{api: quiet.api, options: []weir.Option{
		weir.WithAPIKey("main", "sk-ant-api03-pool"), weir.WithClients(weir.Client{Name: "team", Token: "weir-token", Models: []string{"claude-haiku-*"}}),
	}}
	return []Case{
		{
			Name: "malformed body", When: "the body names no model",
			Expect: own(400, "invalid_request_error", "malformed_request"), state: quiet,
		}, {
			Name: "malformed header", When: "weir-class is none of the classes", Ask: Ask{Headers: header("weir-class", "urgent"), Model: model},
			Expect: own(400, "invalid_request_error", "malformed_request"), state: quiet,
		}, {
			Name: "body too large", When: "over 32 MiB", Ask: Ask{Filler: 33 << 20},
			Expect: own(413, "request_too_large", "body_too_large"), state: quiet,
		}, {
			Name: "path not served", When: "the base URL has a path that is not the API's", Ask: Ask{Prefix: "/nonesuch"},
			Expect: own(404, "not_found_error", "not_allowed"), state: quiet,
		}, {
			Name: "no key", When: "pass-through mode, and the caller sends none",
			Expect: own(401, "authentication_error", "no_api_key"), state: quiet,
		}, {
			Name: "subscription token", When: "sk-ant-oat…, as x-api-key", Ask: Ask{Key: "sk-ant-oat01-of-a-subscription"},
			Expect: own(401, "authentication_error", "oauth_token_refused"), state: quiet,
		}, {
			Name: "subscription token, as a bearer", When: "sk-ant-oat…, as Authorization", Ask: Ask{Key: "sk-ant-oat01-of-a-subscription", Bearer: true},
			Expect: own(401, "authentication_error", "oauth_token_refused"), state: quiet,
		}, {
			Name: "no token of the gateway", When: "the gateway has clients, and the caller is none", Ask: Ask{Key: "weir-wrong"},
			Expect: own(401, "authentication_error", "bad_gateway_token"), state: guarded,
		}, {
			Name: "model not allowed", When: "the caller's token is for other models", Ask: Ask{Key: "weir-token"},
			Expect: own(403, "permission_error", "model_not_allowed"), state: guarded,
		}, {
			Name: "larger than the quota", When: "the prompt is larger than the input tokens of a minute", Ask: Ask{Filler: 60_000},
			Expect: own(413, "request_too_large", "request_exceeds_quota"), state: small,
		},
	}
}

// drained is an API whose output bucket one answer leaves in debt for minutes,
// tight one whose input bucket fills up to what Weir keeps in stock within
// seconds.
var (
	drained = sim.Config{Limits: sim.Limits{Requests: 1000, InputTokens: 4_000_000, OutputTokens: 10_000}}
	tight   = sim.Config{
		Limits:    sim.Limits{Requests: 10_000, InputTokens: 300_000, OutputTokens: 1_000_000},
		StartFill: new(0.02),
	}
)

// drain uses up the output quota, once an answer has told how large it is.
func drain(h *House) error { return cmp.Or(sent(200)(h), spend(h)) }

// spend has an answer that is four times what the output quota gives a minute.
func spend(h *House) error { return sent(200, "X-Sim-Output-Tokens", "40000")(h) }

// crowded lets one call wait, once prime has made it wait.
func crowded(prime func(*House) error) func(*House) error {
	return func(h *House) error {
		if err := prime(h); err != nil {
			return err
		}
		h.Beside(func() error {
			_, err := h.send()
			return err
		})
		for h.gateway.Queue().Waiting == 0 {
			select {
			case <-h.ctx.Done():
				return h.ctx.Err()
			case <-time.After(time.Millisecond):
			}
		}
		return nil
	}
}

// waitCases are refused because of the quota, or of what they met while they
// waited for it.
func waitCases() []Case {
	limited := func(code string) Expect {
		return Expect{Status: 429, Type: "rate_limit_error", Code: code, Own: true}
	}
	late := func(e Expect, hold float64) Expect {
		e.Hold = hold
		return e
	}
	back := func(e Expect, after, requests int) Expect {
		e.RetryAfter, e.Requests, e.Served = after, requests, requests > 0
		return e
	}
	bound := []weir.Option{weir.WithQueueBound(1, 0)}
	// Each attempt of the caller's own fails, so that it does not matter when the
	// quota is spent beside it.
	failing := func(kind string) Ask { return Ask{Headers: header("weir-max-wait", "2s", "x-sim-fault", kind)} }
	spent := state{api: drained, during: spend}
	return []Case{
		{
			Name: "queue full", When: "no place to wait, and none for more than a minute",
			Expect: limited("queue_full"), state: state{api: drained, options: bound, prime: crowded(drain)},
		}, {
			Name: "queue full for a moment", When: "no place to wait, but soon",
			Expect: back(limited("queue_full"), 15, 2), state: state{api: tight, options: bound, prime: crowded(sent(200))},
		}, {
			Name: "no room in time", When: "the quota is used up for longer than the caller waits, and for more than a minute",
			Ask:    Ask{Headers: header("weir-max-wait", "300ms")},
			Expect: late(limited("wait_deadline"), 0.3), state: state{api: drained, prime: drain},
		}, {
			Name: "no room in time, but soon", When: "the quota is used up for longer than the caller waits, but for seconds",
			Ask:    Ask{Headers: header("weir-max-wait", "300ms")},
			Expect: back(late(limited("wait_deadline"), 0.3), 15, 2), state: state{api: tight, prime: sent(200)},
		}, {
			Name: "no room in time, of a stream", When: "the same of a stream that has got pings meanwhile",
			Ask:    Ask{Headers: header("weir-max-wait", "6s"), Stream: true},
			Expect: Expect{Status: 200, Type: "rate_limit_error", Code: "wait_deadline", Own: true, Hold: 6},
			state:  state{api: drained, prime: drain},
		}, {
			Name: "held back by the API's 429s", When: "the API answers 429 with retry-after 2 to every attempt",
			Ask:    Ask{Headers: header("weir-max-wait", "500ms")},
			Expect: back(late(limited("wait_deadline"), 0.5), 3, 0),
			state:  state{api: striking(sim.Fault{Kind: sim.FaultRateLimit, RetryAfter: 2})},
		}, {
			Name: "no room after overload", When: "a 529, and then no quota until the caller's deadline", Ask: failing(sim.FaultOverloaded),
			Expect: Expect{Status: 529, Type: "overloaded_error", Code: "wait_deadline", Own: true, Hold: 2},
			state:  spent,
		}, {
			Name: "no room after a failure", When: "a 500, and then no quota until the caller's deadline", Ask: failing(sim.FaultServerError),
			Expect: Expect{Status: 502, Type: "api_error", Code: "wait_deadline", Own: true, Hold: 2},
			state:  spent,
		},
	}
}

// accountCases are refused because of the account's state: at first in the
// API's words, and from then on in Weir's.
func accountCases() []Case {
	blocked := func(name, when string, status int, kind, code string, f sim.Fault) Case {
		return Case{
			Name: name, When: when, Expect: Expect{Status: status, Type: kind, Code: code, Own: true},
			state: state{api: striking(f), prime: sent(status)},
		}
	}
	first := func(c Case, name, code string) Case {
		c.Name, c.When = name, "the first call that meets it: the API's own words"
		c.Expect.Own, c.Expect.Code, c.state.prime = false, code, nil
		return c
	}
	const limit, invalid, block = "rate_limit_error", "invalid_request_error", "account_blocked"
	capped := blocked("spend cap", "the monthly cap of the usage tier, until a date", 429, limit,
		"enforced_spend_limit_reached", sim.Fault{Kind: sim.FaultEnforcedSpendLimit})
	own := blocked("own limit", "the organization's own spend limit", 400, invalid, block, sim.Fault{Kind: sim.FaultOwnSpendLimit})
	payment := blocked("payment failed", "402", 402, "billing_error", block, sim.Fault{Kind: "402"})
	wrong := blocked("key refused", "pool mode: the API refuses the gateway's key", 401, "authentication_error", block, sim.Fault{Kind: sim.FaultBadKey})
	wrong.state.options = []weir.Option{weir.WithAPIKey("main", "sk-ant-api03-revoked")}
	callers := first(wrong, "caller's key refused", "")
	callers.When, callers.state.options = "pass-through mode: the API refuses the caller's key, in its own words", nil
	return []Case{
		capped,
		first(capped, "spend cap, met", "enforced_spend_limit_reached"),
		blocked("spend cap without a date", "the same, if the API names no date", 429, limit, "enforced_spend_limit_reached",
			sim.Fault{Kind: sim.FaultEnforcedSpendLimit, Message: "You have reached your API usage limits."}),
		blocked("contract cap", "the spend of the contract", 429, limit, "contract_spend_limit_reached", sim.Fault{Kind: sim.FaultContractSpendLimit}),
		own,
		first(own, "own limit, met", ""),
		blocked("own limit of the workspace", "the workspace's own spend limit", 400, invalid, block, sim.Fault{Kind: sim.FaultOwnWorkspaceSpendLimit}),
		blocked("no credit", "the credit balance is too low", 400, invalid, block, sim.Fault{Kind: sim.FaultNoCredit}),
		payment,
		first(payment, "payment failed, met", ""),
		blocked("organization disabled", "by Anthropic", 400, invalid, block, sim.Fault{Kind: sim.FaultDisabled}),
		blocked("organization on hold", "by Anthropic", 400, invalid, "organization_on_hold", sim.Fault{Kind: sim.FaultOnHold}),
		wrong,
		callers,
	}
}

// tripping is a breaker that one failure opens, for so long.
func tripping(open time.Duration) []weir.Option {
	rules := `[{"id":"outage","resource":"*","strategy":2,"threshold":1,"minRequestAmount":1,` +
		`"statIntervalMs":10000,"retryTimeoutMs":` + strconv.FormatInt(open.Milliseconds(), 10) + `}]`
	return []weir.Option{weir.WithBreaker(weir.Breaker{Rules: []byte(rules)})}
}

// upstreamCases are refused because the API cannot be reached or fails.
func upstreamCases() []Case {
	down := Expect{Status: 502, Type: "api_error", Code: "upstream_unavailable", Own: true}
	over := Expect{Status: 529, Type: "overloaded_error", Code: "upstream_unavailable", Own: true}
	unreachable := down
	unreachable.RetryAfter, unreachable.Hold = 8, 1
	served := func(e Expect, after int) Expect {
		e.RetryAfter, e.Requests, e.Served, e.Hold = after, 2, true, 0.5
		return e
	}
	unbroken := []weir.Option{weir.WithBreaker(weir.Breaker{Off: true})} // it might open in between
	for1s, briefly := Ask{Headers: header("weir-max-wait", "1s")}, Ask{Headers: header("weir-max-wait", "500ms")}
	once := func(kind string) sim.Config { return striking(sim.Fault{Kind: kind, Requests: []int64{1}}) }
	// failed makes one call that fails by its own deadline, which is now.
	failed := func(status int) func(*House) error { return sent(status, "Weir-Max-Wait", "0s") }
	return []Case{
		{Name: "API not reachable", When: "nobody listens at its address", Ask: for1s, Expect: unreachable, state: state{down: closed}},
		{Name: "API not trusted", When: "its certificate is not accepted", Ask: for1s, Expect: unreachable, state: state{down: untrusted}},
		{Name: "API speaks no TLS", When: "it answers in plain HTTP", Ask: for1s, Expect: unreachable, state: state{down: plain}},
		{
			Name: "API fails", When: "500 until the caller's deadline: the last answer, in the API's words", Ask: for1s,
			Expect: Expect{Status: 500, Type: "api_error", Hold: 1, Requests: 3}, state: state{api: striking(sim.Fault{Kind: sim.FaultServerError}), options: unbroken},
		}, {
			Name: "API overloaded", When: "529 until the caller's deadline: the last answer, in the API's words", Ask: for1s,
			Expect: Expect{Status: 529, Type: "overloaded_error", Hold: 1, Requests: 3}, state: state{api: striking(sim.Fault{Kind: sim.FaultOverloaded}), options: unbroken},
		}, {
			Name: "API fails for long", When: "503 with retry-after 120, which no client obeys: the answer, in the API's words",
			Expect: Expect{Status: 503, Type: "api_error", Code: "cmek_key_unreachable"}, Ask: for1s,
			state: state{api: striking(sim.Fault{Kind: "503", RetryAfter: 120})},
		}, {
			Name: "API's 429 that no waiting mends", When: "long context is not part of the plan: the answer, in the API's words",
			Expect: Expect{Status: 429, Type: "rate_limit_error"},
			state: state{api: striking(sim.Fault{Kind: sim.FaultRateLimit, RetryAfter: 2,
				Message: "Extra usage is required for long context requests."})},
		}, {
			Name: "API's 429 of what is not metered", When: "GET /v1/models: 429 with retry-after 120, in the API's words", Ask: Ask{Models: true},
			Expect: Expect{Status: 429, Type: "rate_limit_error"}, state: state{api: striking(sim.Fault{Kind: sim.FaultRateLimit, RetryAfter: 120})},
		}, {
			Name: "breaker open", When: "the API has failed, and is left alone for more than a minute", Expect: down,
			state: state{api: once(sim.FaultServerError), options: tripping(90 * time.Second), prime: failed(500)},
		}, {
			Name: "breaker open for a moment", When: "the API has failed, and is left alone for seconds", Expect: served(down, 3),
			state: state{api: once(sim.FaultServerError), options: tripping(3 * time.Second), prime: failed(500)},
		}, {
			Name: "breaker open by overload", When: "the API was overloaded, and is left alone for more than a minute", Ask: briefly, Expect: over,
			state: state{api: once(sim.FaultOverloaded), options: tripping(90 * time.Second), prime: failed(529)},
		}, {
			Name: "breaker open by overload for a moment", When: "the API was overloaded, and is left alone for seconds", Ask: briefly,
			Expect: served(over, 3), state: state{api: once(sim.FaultOverloaded), options: tripping(3 * time.Second), prime: failed(529)},
		},
	}
}

// streamCases break off when the client has got content already: nobody may
// retry, and the stream ends with an error event.
func streamCases() []Case {
	impatient := []weir.Option{weir.WithPatience(weir.Patience{Silence: 500 * time.Millisecond})}
	broken := func(name, when, fault, kind, code string, own bool) Case {
		return Case{
			Name: name, When: when, Ask: Ask{Stream: true, Headers: header("x-sim-output-tokens", "50")},
			Expect: Expect{Status: 200, Type: kind, Code: code, Own: own, Hold: 0.5},
			state:  state{api: striking(sim.Fault{Kind: fault, AfterEvents: 5}), options: impatient},
		}
	}
	return []Case{
		broken("error in a stream", "the API ends it by an error event, in its own words", sim.FaultErrorEvent, "overloaded_error", "", false),
		broken("stream broken off", "it ends without message_stop", sim.FaultEOF, "api_error", "stream_broken_off", true),
		broken("stream reset", "the connection is lost", sim.FaultReset, "api_error", "stream_broken_off", true),
		broken("stream stalled", "nothing comes any more", sim.FaultStall, "api_error", "stream_stalled", true),
	}
}

// ruleFor refuses everything for so long.
type ruleFor time.Duration

// Enter implements [call.Protector]. The calls by which the house is primed
// are refused as well.
func (d ruleFor) Enter(context.Context, *call.Call) (func(), *call.Refusal) {
	return nil, &call.Refusal{Reason: call.RuleRefused, Rule: "flow of the team", RetryIn: time.Duration(d)}
}

// Report implements [call.Protector].
func (ruleFor) Report() []call.RuleReport { return nil }

// gatewayCases are refused because of the gateway itself.
func gatewayCases() []Case {
	ruled := func(d time.Duration) state {
		return state{api: sim.Config{Limits: plenty}, options: []weir.Option{weir.WithProtection(ruleFor(d))}}
	}
	team := func(dollars call.USD) weir.Budget { return weir.Budget{Name: "team", Limit: dollars, Period: "month"} }
	limited := func(dollars call.USD, prime func(*House) error) state {
		return state{api: sim.Config{Limits: plenty}, prime: prime, options: []weir.Option{weir.WithBudgets(team(dollars))}}
	}
	overspend := func(h *House) error { // 40 cents, of a budget that has ten from then on
		err := sent(200, "X-Sim-Output-Tokens", "40000")(h)
		return cmp.Or(err, h.gateway.SetBudgets([]weir.Budget{team(call.Dollar / 10)}))
	}
	spent := Expect{Status: 429, Type: "rate_limit_error", Code: "budget_spent", Own: true}
	return []Case{
		{
			Name: "budget spent", When: "a budget of money of the gateway's own is used up",
			Expect: spent, state: limited(call.Dollar, overspend),
		}, {
			Name: "budget too small", When: "the call may cost more than a whole budget of money",
			Expect: spent, state: limited(call.Dollar/1_000_000, nil),
		}, {
			Name: "refused by a rule", When: "of the gateway's own protection, for a second",
			Expect: Expect{Status: 429, Type: "rate_limit_error", Code: "refused_by_rule", Own: true, RetryAfter: 1}, state: ruled(time.Second),
		}, {
			Name: "refused by a rule for long", When: "the same for more than a minute",
			Expect: Expect{Status: 429, Type: "rate_limit_error", Code: "refused_by_rule", Own: true}, state: ruled(90 * time.Second),
		}, {
			Name: "draining", When: "the gateway is about to end",
			Expect: Expect{Status: 503, Type: "api_error", Code: "draining", Own: true, RetryAfter: 1},
			state: state{api: sim.Config{Limits: plenty}, prime: func(h *House) error {
				h.gateway.Drain()
				if h.gateway.Ready() == nil {
					return errors.New("it drains and is ready")
				}
				return nil
			}},
		},
	}
}

package price_test

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/price"
)

var november = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// TestCost has the products done by hand, from anthropic-api.md §6.
func TestCost(t *testing.T) {
	table := price.Builtin()
	october := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		model string
		at    time.Time
		usage call.Usage
		want  string
	}{
		"plain":           {"claude-haiku-4-5", november, call.Usage{Input: 1_000_000, Output: 100_000}, "1.50"},
		"one-token":       {"claude-haiku-5-5", november, call.Usage{Input: 1}, "0.0000001"},
		"dated-id":        {"claude-haiku-4-5-20251001", november, call.Usage{Output: 1000}, "0.005"},
		"cache":           {"claude-sonnet-5", november, call.Usage{CacheRead: 100_000, CacheWrite: 20_000, HourWrite: 5000}, "0.0775"},
		"hour-alone":      {"claude-opus-5", november, call.Usage{CacheWrite: 1000, HourWrite: 1000}, "0.01"},
		"read-of-5-5":     {"claude-opus-5-5", november, call.Usage{CacheRead: 1_000_000}, "0.20"},
		"read-of-5-2":     {"claude-fable-5-2", november, call.Usage{CacheRead: 1_000_000}, "0.20"},
		"before-its-drop": {"claude-sonnet-5-5", october, call.Usage{CacheRead: 1_000_000}, "0.20"},
		"after-its-drop":  {"claude-sonnet-5-5", november, call.Usage{CacheRead: 1_000_000}, "0.10"},
		"below-the-step":  {"claude-haiku-5-5", november, call.Usage{Input: 40_000, CacheRead: 60_000, Output: 1000}, "0.0051"},
		"above-the-step":  {"claude-haiku-5-5", november, call.Usage{Input: 40_001, CacheRead: 60_000, Output: 1000}, "0.0255005"},
		"fast":            {"claude-opus-5-5", november, call.Usage{Input: 1000, Output: 1000, Fast: true}, "0.048"},
		"batch":           {"claude-opus-5", november, call.Usage{Input: 1001, Output: 1, Batch: true}, "0.002515"},
		"us":              {"claude-opus-5", november, call.Usage{Input: 1000, US: true}, "0.0055"},
		"us-in-a-batch":   {"claude-haiku-5-5", november, call.Usage{CacheRead: 1, US: true, Batch: true}, "0.0000000055"},
		"old-model-in-us": {"claude-haiku-4-5", november, call.Usage{Input: 1000, US: true}, "0.001"},
		"searches":        {"claude-haiku-4-5", november, call.Usage{Searches: 3}, "0.03"},
		"before-its-time": {"claude-opus-5-5", october.AddDate(-1, 0, 0), call.Usage{Input: 1000}, "0.004"},
	} {
		got, known := table.Cost(tt.model, tt.at, tt.usage)
		if got.String() != tt.want || !known {
			t.Errorf("%s: %s, known %t, want %s", name, got, known, tt.want)
		}
	}
}

func TestUnknownModelsCostTheMost(t *testing.T) {
	table := price.Builtin()
	u := call.Usage{Input: 1000, Output: 1000, CacheRead: 1000, CacheWrite: 1000, HourWrite: 500, US: true}
	most, known := table.Cost("claude-opus-5-9", november, u)
	if known || most == 0 {
		t.Errorf("cost %s, known %t", most, known)
	}
	for _, model := range []string{"claude-fable-5", "claude-opus-5", "claude-haiku-3-5", "claude-haiku-5-5"} {
		if cost, known := table.Cost(model, november, u); cost > most || !known {
			t.Errorf("%s costs %s, more than an unknown model: %s", model, cost, most)
		}
	}
}

// TestMostIsNeverExceeded: no call costs more than what was reserved for it.
func TestMostIsNeverExceeded(t *testing.T) {
	table, rnd := price.Builtin(), rand.New(rand.NewPCG(1, 2))
	models := []string{"claude-haiku-5-5", "claude-sonnet-5-5-20260928", "claude-opus-5-5", "claude-opus-4-6", "claude-fable-5", "nobody-knows"}
	for range 10_000 {
		input, output := call.Tokens(rnd.IntN(300_000)), call.Tokens(rnd.IntN(100_000))
		read := call.Tokens(rnd.Int64N(int64(input) + 1))
		write := call.Tokens(rnd.Int64N(int64(input-read) + 1))
		u := call.Usage{
			Input: input - read - write, CacheRead: read, CacheWrite: write, HourWrite: call.Tokens(rnd.Int64N(int64(write) + 1)),
			Output: output, Fast: rnd.IntN(3) == 0, US: rnd.IntN(3) == 0, Batch: rnd.IntN(3) == 0, Searches: rnd.Int64N(4),
		}
		bound := price.Bound{Input: input, Output: output, Searches: u.Searches + rnd.Int64N(2), Fast: u.Fast || rnd.IntN(2) == 0}
		model := models[rnd.IntN(len(models))]
		cost, _ := table.Cost(model, november, u)
		if most := table.Most(model, november, bound); cost > most {
			t.Fatalf("%s %+v costs %s, but at most %s was foreseen", model, u, cost, most)
		}
	}
}

// TestThousandUsagesAddUpExactly compares sums with those of rational numbers,
// from prices written once more by hand.
func TestThousandUsagesAddUpExactly(t *testing.T) {
	table, rnd := price.Builtin(), rand.New(rand.NewPCG(3, 4))
	byHand := map[string][5]string{ // input, output, 5m, 1h, read
		"claude-haiku-4-5": {"1", "5", "1.25", "2", "0.10"}, "claude-sonnet-4-6": {"3", "15", "3.75", "6", "0.30"},
		"claude-opus-5-5": {"4", "20", "5", "8", "0.20"}, "claude-fable-5-1": {"10", "50", "12.5", "20", "0.25"},
	}
	sum, want := call.USD(0), new(big.Rat)
	for i := range 1000 {
		model := []string{"claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-5-5", "claude-fable-5-1"}[i%4]
		u := call.Usage{
			Input: call.Tokens(rnd.IntN(200_000)), Output: call.Tokens(rnd.IntN(20_000)),
			CacheRead: call.Tokens(rnd.IntN(200_000)), CacheWrite: call.Tokens(rnd.IntN(50_000)),
		}
		u.HourWrite = call.Tokens(rnd.Int64N(int64(u.CacheWrite) + 1))
		cost, _ := table.Cost(model, november, u)
		sum += cost
		for j, n := range []call.Tokens{u.Input, u.Output, u.CacheWrite - u.HourWrite, u.HourWrite, u.CacheRead} {
			rate, _ := new(big.Rat).SetString(byHand[model][j])
			want.Add(want, rate.Mul(rate, big.NewRat(int64(n), 1_000_000)))
		}
	}
	if got, _ := new(big.Rat).SetString(sum.String()); got.Cmp(want) != 0 {
		t.Errorf("sum %s, want %s", sum, want.FloatString(12))
	}
}

func TestParseTellsAllFaults(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"unknown-field": {`{"modells": []}`, "modells"},
		"no-model":      {`{}`, "no model"},
		"twice":         {`{"models":[{"ids":["a","a"],"prices":[{"from":"2026-01-01","input":"1","output":"1"}]}]}`, "twice"},
		"no-date":       {`{"models":[{"ids":["a"],"prices":[{"from":"soon","input":"1","output":"1"}]}]}`, "date"},
		"order":         {`{"models":[{"ids":["a"],"prices":[{"from":"2026-01-02","input":"1","output":"1"},{"from":"2026-01-01","input":"1","output":"1"}]}]}`, "later"},
		"free":          {`{"models":[{"ids":["a"],"prices":[{"from":"2026-01-02","input":"0","output":"1"}]}]}`, "above 0"},
		"half-a-step":   {`{"models":[{"ids":["a"],"prices":[{"from":"2026-01-02","input":"1","output":"1","above":5}]}]}`, "belong together"},
		"a-number":      {`{"batch": 0.5}`, "batch"},
		"negative":      {`{"batch": "-1"}`, "amount"},
		"two":           {`{"models":[{"ids":["a"],"prices":[{"from":"2026-01-02","input":"1","output":"1"}]}]} {}`, "behind"},
	} {
		if _, err := price.Parse([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAmounts(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1.00", "$12.5": "12.50", "0.000000000001": "0.000000000001", ".5": "0.50", " 3. ": "3.00", "9000000": "9000000.00",
	} {
		if got, err := call.ParseUSD(text); err != nil || got.String() != want {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ".", "-1", "1e3", "1,5", "0.0000000000001", "99999999999999", "1.2.3", "NaN"} {
		if got, err := call.ParseUSD(text); err == nil {
			t.Errorf("%q became %s", text, got)
		}
	}
	if got := (-5 * call.Dollar / 2).String(); got != "-2.50" {
		t.Error(got)
	}
}

func TestCaching(t *testing.T) {
	for name, tt := range map[string]struct {
		usage          call.Usage
		saved, premium string
	}{
		"nothing": {call.Usage{Input: 1000, Output: 5}, "0.00", "0.00"},
		"read":    {call.Usage{Input: 10, CacheRead: 100_000, Output: 5}, "0.18", "0.00"},
		"written": {call.Usage{CacheWrite: 100_000}, "0.00", "0.05"},
		"hour":    {call.Usage{CacheWrite: 100_000, HourWrite: 100_000}, "0.00", "0.20"},
		"both":    {call.Usage{CacheRead: 10_000, CacheWrite: 1000, US: true}, "0.0198", "0.00055"},
	} {
		saved, premium := price.Builtin().Caching("claude-sonnet-5", november, tt.usage)
		if saved.String() != tt.saved || premium.String() != tt.premium {
			t.Errorf("%s: saved %s, premium %s, want %s and %s", name, saved, premium, tt.saved, tt.premium)
		}
	}
}

package sim

import (
	"cmp"
	"math/big"
	"slices"
	"sync"
	"time"
)

// tariff is what a model costs, in dollars for a million tokens of each kind
// of token.
type tariff struct {
	Standard [numTokenKinds]float64 `yaml:"standard"`
	Fast     [numTokenKinds]float64 `yaml:"fast"`
	Above    int                    `yaml:"above"`
	Large    [numTokenKinds]float64 `yaml:"large"`
}

// The kinds of tokens that are charged apart, in the order of a tariff.
const (
	uncachedInput = iota
	outputTokens
	write5m
	write1h
	cacheRead
	numTokenKinds
)

// tokenKinds are their names in the cost report.
var tokenKinds = [numTokenKinds]string{
	"uncached_input_tokens", "output_tokens", "cache_creation.ephemeral_5m_input_tokens",
	"cache_creation.ephemeral_1h_input_tokens", "cache_read_input_tokens",
}

// billKey is what one line of the bill sums up.
type billKey struct {
	day              string // UTC
	model, workspace string
	speed, geo       string
	tier             string // batch, or "" for the standard one
	large            bool   // its prompt cost more because of its length
}

// bill is what an organization is charged for, whether or not its client got
// to see it. It is safe for concurrent use.
type bill struct {
	mu    sync.Mutex
	lines map[billKey]*[numTokenKinds]int64 // guarded by mu
}

// charge books one request that was served, with so much output.
func (x *exchange) charge(q *request, c cachePlan, output int) {
	x.who.organization.bill.add(x.lineOf(q), tokensOf(q, c, output))
}

// tokensOf are the tokens that a request is charged for.
func tokensOf(q *request, c cachePlan, output int) [numTokenKinds]int64 {
	return [numTokenKinds]int64{int64(c.uncached(q.total)), int64(output), int64(c.write5m), int64(c.write1h), int64(c.read)}
}

// lineOf is the line of the bill to which a request belongs.
func (x *exchange) lineOf(q *request) billKey {
	k := billKey{
		day:   x.clock.date(x.began).Format(time.DateOnly),
		model: q.model.ID, workspace: x.who.workspace.id, speed: q.speed, geo: cmp.Or(q.geo, "global"),
	}
	if above := x.catalog.Prices[k.model].Above; above > 0 && q.total > above {
		k.large = true
	}
	return k
}

// add books tokens.
func (b *bill) add(k billKey, tokens [numTokenKinds]int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lines == nil {
		b.lines = map[billKey]*[numTokenKinds]int64{}
	}
	line := b.lines[k]
	if line == nil {
		line = new([numTokenKinds]int64)
		b.lines[k] = line
	}
	for kind, n := range tokens {
		line[kind] += n
	}
}

// billLine is one line of the bill as it is now.
type billLine struct {
	billKey
	tokens [numTokenKinds]int64
}

// on lists a day's lines, in a fixed order.
func (b *bill) on(day string) []billLine {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []billLine
	for k, tokens := range b.lines {
		if k.day == day {
			list = append(list, billLine{k, *tokens})
		}
	}
	slices.SortFunc(list, func(a, b billLine) int {
		return cmp.Or(cmp.Compare(a.model, b.model), cmp.Compare(a.workspace, b.workspace),
			cmp.Compare(a.speed, b.speed), cmp.Compare(a.geo, b.geo), cmp.Compare(a.tier, b.tier))
	})
	return list
}

// cents is what the tokens of one kind cost, exactly.
func (c *catalog) cents(l billLine, kind int) *big.Rat {
	t := c.Prices[l.model]
	price := t.Standard
	switch {
	case l.speed == "fast":
		price = t.Fast
	case l.large:
		price = t.Large
	}
	amount := decimal(price[kind])
	amount.Mul(amount, new(big.Rat).SetFrac64(l.tokens[kind], 10_000)) // a million tokens, a hundred cents
	if l.tier == batchTier {
		amount.Mul(amount, big.NewRat(1, 2))
	}
	if l.geo == "us" {
		amount.Mul(amount, big.NewRat(11, 10))
	}
	return amount
}

// decimal is a number of the table as it is written there, with at most three
// decimals.
func decimal(f float64) *big.Rat {
	return new(big.Rat).SetFrac64(int64(f*1000+0.5), 1000)
}

// merged adds up lines that a report does not tell apart.
func merged[K comparable](lines []billLine, by func(billLine) K) ([]K, map[K][]billLine) {
	groups := map[K][]billLine{}
	var order []K
	for _, l := range lines {
		k := by(l)
		if _, ok := groups[k]; !ok {
			order = append(order, k)
		}
		groups[k] = append(groups[k], l)
	}
	return order, groups
}

package call

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// USD is an amount of money in picodollars: 1e12 are one dollar, so that every
// list price of one token is a whole number, halved and with any surcharge. It
// holds up to nine million dollars.
type USD int64

// Dollar is one dollar.
const Dollar USD = 1e12

// usdDigits is how many decimals a picodollar has.
const usdDigits = 12

// String writes the exact amount in dollars with at least two decimals, as in
// "0.0042".
func (u USD) String() string {
	sign, n := "", uint64(u)
	if u < 0 {
		sign, n = "-", -n
	}
	whole, rest := n/uint64(Dollar), n%uint64(Dollar)
	decimals := strings.TrimRight(fmt.Sprintf("%012d", rest), "0")
	return sign + strconv.FormatUint(whole, 10) + "." + decimals + strings.Repeat("0", max(0, 2-len(decimals)))
}

// MarshalText writes what String does: JSON has no exact numbers.
func (u USD) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads a decimal number of dollars.
func (u *USD) UnmarshalText(text []byte) error {
	v, err := ParseUSD(string(text))
	*u = v
	return err
}

var errUSD = errors.New("not an amount in dollars such as 12.50")

// ParseUSD reads a decimal number of dollars, which may not be negative, such
// as "12.50". A leading $ is passed over.
func ParseUSD(s string) (USD, error) {
	whole, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(s), "$"), ".")
	if len(rest) > usdDigits || whole+rest == "" {
		return 0, fmt.Errorf("%q: %w", s, errUSD)
	}
	digits := whole + rest + strings.Repeat("0", usdDigits-len(rest))
	if strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return 0, fmt.Errorf("%q: %w", s, errUSD)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q: %w", s, errUSD)
	}
	return USD(n), nil
}

package estimate

import (
	"math/bits"

	"github.com/weir-gateway/weir/call"
)

// lengths is a forgetful histogram of how long answers were, with two bins
// for each power of two. The zero lengths knows nothing.
type lengths struct {
	weight [lengthBins]float32
	sum    [lengthBins]float32
}

const (
	lengthBins = 36   // up to 2^18 tokens
	fade       = 0.98 // weight that a past answer keeps with each new one
	coldOutput = 500  // before any answer
	coldHigh   = 2000 // nine of ten, before any answer
)

// bin is where n belongs: by its highest bit and the one after it.
func bin(n call.Tokens) int {
	if n < 2 {
		return 0
	}
	top := bits.Len64(uint64(n)) - 1
	return min(2*top+int(n>>(top-1)&1), lengthBins-1)
}

func (l *lengths) learn(n call.Tokens) {
	for i := range l.weight {
		l.weight[i] *= fade
		l.sum[i] *= fade
	}
	l.weight[bin(n)]++
	l.sum[bin(n)] += float32(n)
}

// mean is the expected length of an answer that ends at limit.
func (l *lengths) mean(limit call.Tokens) call.Tokens {
	var weight, sum float32
	for i, w := range l.weight {
		if w > 0 {
			weight += w
			sum += w * min(l.sum[i]/w, float32(limit))
		}
	}
	if weight == 0 {
		return min(coldOutput, limit)
	}
	return call.Tokens(sum/weight + 0.5)
}

// quantile is the length that a share q of the answers does not exceed, to
// within a bin.
func (l *lengths) quantile(q float64, limit call.Tokens) call.Tokens {
	var total, below float32
	for _, w := range l.weight {
		total += w
	}
	if total == 0 {
		return min(coldHigh, limit)
	}
	for i, w := range l.weight {
		if below += w; w > 0 && below >= float32(q)*total {
			return min(call.Tokens(l.sum[i]/w+0.5), limit)
		}
	}
	return limit // rounding
}

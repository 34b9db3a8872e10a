package call

// CacheWish is what a caller wants of the cache of answers (weir-cache, DESIGN
// §2.3). The zero value leaves it to the configuration.
type CacheWish uint8

// The wishes.
const (
	CacheAsConfigured CacheWish = iota
	CacheOff
	CacheRead  // an answer that is there will do; a new one is not kept
	CacheWrite // a new answer is asked for, and kept
	CacheOn    // both
)

// cacheWords are the words of the header weir-cache.
var cacheWords = [...]string{"", "off", "read", "write", "on"}

// ParseCacheWish reads the word that the weir-cache header uses.
func ParseCacheWish(s string) (CacheWish, bool) {
	for i, word := range cacheWords {
		if i > 0 && word == s {
			return CacheWish(i), true
		}
	}
	return CacheAsConfigured, false
}

// CacheResult is what the cache of answers did for a call.
type CacheResult uint8

// The results.
const (
	CacheNotAsked CacheResult = iota
	CacheMiss                 // it was asked in vain
	CacheHit                  // the answer came out of it
	CacheJoin                 // the answer is that to an identical call under way
)

// String returns the word of the response header weir-cache (DESIGN §2.4).
func (r CacheResult) String() string {
	return [...]string{"off", "miss", "hit", "join"}[r]
}

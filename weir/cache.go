package weir

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/cache"
)

// Cache says what the gateway's own cache of answers keeps, for whom and where;
// see [WithCache].
type Cache = cache.Config

// CacheRedis says where several gateways keep answers together.
type CacheRedis = cache.Redis

// WithCache keeps answers, and gives them to equal requests of the same tenant
// without asking the API again. The zero Cache does so in memory, for requests
// that ask for it by the header weir-cache. Calls that are equal to one under
// way share its answer. [Gateway.Run] tends the disk and Redis: without it only
// what they hold already is of use.
func WithCache(c Cache) Option {
	return func(s *settings) error {
		if min(c.MaxBytes, c.DiskBytes, int64(c.MaxAge)) < 0 {
			return fmt.Errorf("bounds of the cache must not be negative: %d bytes, %d on disk, %v", c.MaxBytes, c.DiskBytes, c.MaxAge)
		}
		if c.Disk && c.Folder == "" {
			return errors.New("a cache on disk needs a folder")
		}
		s.cache = &c
		return nil
	}
}

// newCache opens the cache, if there is to be one.
func (g *Gateway) newCache(c *Cache, log *slog.Logger) (err error) {
	if c == nil {
		return nil
	}
	if c.Log == nil {
		c.Log = log
	}
	g.cache, err = cache.New(*c, cache.Books{
		End: func(c *call.Call, status int, outcome, reason string) {
			g.corridor.Account.End(c, status, outcome, reason)
		},
		Waits: func(id string) bool { _, waits := g.admission.Waiting(time.Now(), id); return waits },
	})
	return err
}

var errNoCache = errors.New("the gateway has no cache of answers")

// PurgeCache makes the cache forget a tenant's answers, or everybody's if
// tenant is "". Answers that are under way are not kept either.
func (g *Gateway) PurgeCache(tenant string) error {
	if g.cache == nil {
		return errNoCache
	}
	return g.cache.Purge(tenant)
}

// SetCacheBounds changes how much the cache's memory holds, and for how long an
// answer is given again. What is 0 is the default.
func (g *Gateway) SetCacheBounds(maxBytes int64, maxAge time.Duration) {
	if g.cache != nil {
		g.cache.Configure(maxBytes, maxAge)
	}
}

// Cache is what the cache of answers holds and has saved; the second value is
// false where there is none.
func (g *Gateway) Cache() (call.CacheReport, bool) {
	if g.cache == nil {
		return call.CacheReport{}, false
	}
	return g.cache.Report(time.Now()), true
}

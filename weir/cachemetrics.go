package weir

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-gateway/weir/call"
)

// cacheMetrics collects at scrape time what the cache reports. There are none
// without a cache.
type cacheMetrics struct{ g *Gateway }

var (
	descCacheResults   = desc("weir_cache_results_total", "Calls for which the cache of answers was asked, by what it did.", "result")
	descCacheEntries   = desc("weir_cache_entries", "Answers in the cache's memory.")
	descCacheBytes     = desc("weir_cache_bytes", "What they take.")
	descCacheEvictions = desc("weir_cache_evictions_total", "Answers that had to make room in the memory.")
	descCacheTokens    = desc("weir_cache_saved_tokens_total", "Tokens of the answers that were given again.")
	descCacheCost      = desc("weir_cache_saved_usd_total", "What these answers have cost when they were made.")
	descCacheUp        = desc("weir_cache_store_up", "0 while a store of the cache is away.", "store")
	descCacheStored    = desc("weir_cache_store_bytes", "Answers in a store of the cache; 0 where it is not known.", "store")
	descCacheLost      = desc("weir_cache_store_lost_total", "Answers that a store was too slow or too ill to take.", "store")
)

// Describe implements [prometheus.Collector].
func (m cacheMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descCacheResults, descCacheEntries, descCacheBytes, descCacheEvictions, descCacheTokens, descCacheCost,
		descCacheUp, descCacheStored, descCacheLost,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (m cacheMetrics) Collect(ch chan<- prometheus.Metric) {
	r, ok := m.g.Cache()
	if !ok {
		return
	}
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	for result, n := range map[call.CacheResult]uint64{call.CacheHit: r.Hits, call.CacheMiss: r.Misses, call.CacheJoin: r.Joins} {
		send(descCacheResults, prometheus.CounterValue, float64(n), result.String())
	}
	send(descCacheEntries, prometheus.GaugeValue, float64(r.Entries))
	send(descCacheBytes, prometheus.GaugeValue, float64(r.Bytes))
	send(descCacheEvictions, prometheus.CounterValue, float64(r.Evictions))
	send(descCacheTokens, prometheus.CounterValue, float64(r.Saved))
	send(descCacheCost, prometheus.CounterValue, float64(r.SavedUSD)/float64(call.Dollar))
	for _, s := range r.Stores {
		up := 0.0
		if s.State == "ok" {
			up = 1
		}
		send(descCacheUp, prometheus.GaugeValue, up, s.Name)
		send(descCacheStored, prometheus.GaugeValue, float64(s.Bytes), s.Name)
		send(descCacheLost, prometheus.CounterValue, float64(s.Lost), s.Name)
	}
}

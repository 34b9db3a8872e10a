package config

import (
	"maps"
	"reflect"
	"strings"
)

// Keep puts into e what a gateway that was started with was keeps until its
// next start. It returns the paths where e wanted something else.
func (e *Explained) Keep(was Explained) (paths []string) {
	c, old := &e.Config, was.Config
	for _, part := range []struct {
		path   string
		is, of any // pointers
	}{
		{"listen", &c.Listen, &old.Listen}, {"admin", &c.Admin, &old.Admin}, {"upstream", &c.Upstream, &old.Upstream},
		{"data", &c.Data, &old.Data}, {"log_calls", &c.LogCalls, &old.LogCalls}, {"verbose_headers", &c.VerboseHeaders, &old.VerboseHeaders}, {"admin_token", &c.AdminToken, &old.AdminToken},
		{"tls", &c.TLS, &old.TLS}, {"behind_tls_proxy", &c.BehindTLSProxy, &old.BehindTLSProxy},
		{"queue", &c.Queue, &old.Queue}, {"retry", &c.Retry, &old.Retry}, {"breaker", &c.Breaker, &old.Breaker},
		{"degrade.fallback", &c.Degrade.Fallback, &old.Degrade.Fallback},
		{"ledger.postgres", &c.Ledger.Postgres, &old.Ledger.Postgres}, {"ledger.retention", &c.Ledger.Retention, &old.Ledger.Retention},
		{"ledger.max_journal", &c.Ledger.MaxJournal, &old.Ledger.MaxJournal},
		{"cache", &c.Cache, new(old.Cache.bounded(c.Cache))},
	} {
		is, of := reflect.ValueOf(part.is).Elem(), reflect.ValueOf(part.of).Elem()
		if reflect.DeepEqual(is.Interface(), of.Interface()) {
			continue
		}
		is.Set(of)
		paths = append(paths, part.path)
		e.keepOrigins(part.path, was)
	}
	return paths
}

// keepOrigins takes over the origins of a path, and of those below it.
func (e *Explained) keepOrigins(path string, was Explained) {
	elsewhere := func(at, _ string) bool { return at != path && !strings.HasPrefix(at, path+".") }
	kept := maps.Clone(was.Origins)
	maps.DeleteFunc(kept, elsewhere)
	maps.DeleteFunc(e.Origins, func(at, origin string) bool { return !elsewhere(at, origin) })
	maps.Copy(e.Origins, kept)
}

// bounded is c with the bounds of next, which take effect at once. A cache
// neither begins nor ends while a gateway runs.
func (c *Cache) bounded(next *Cache) *Cache {
	if c == nil || next == nil {
		return c
	}
	out := *c
	out.MaxBytes, out.MaxAge = next.MaxBytes, next.MaxAge
	return &out
}

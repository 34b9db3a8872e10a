package config

import "fmt"

// Unresolved reports the references of c that lead to no secret: a gateway
// would not start. It reads whatever is referred to, and tells none of it.
func (c Config) Unresolved(getenv func(string) string) []Fault {
	var list []Fault
	look := func(path string, ref Ref) {
		if ref == "" {
			return
		}
		if _, err := ref.Resolve(getenv); err != nil {
			list = append(list, Fault{Path: path, Message: err.Error(), Hint: "set the variable, or write the file: weir serve does not start without it"})
		}
	}
	for i, k := range c.Keys {
		look(fmt.Sprintf("keys[%d].key", i), k.Key)
		look(fmt.Sprintf("keys[%d].admin_key", i), k.AdminKey)
	}
	for i, cl := range c.Clients {
		look(fmt.Sprintf("clients[%d].token", i), cl.Token)
	}
	for i, w := range c.Alerts.Webhooks {
		if Ref(w.URL).check() == nil { // else it is the URL itself
			look(fmt.Sprintf("alerts.webhooks[%d].url", i), Ref(w.URL))
		}
		look(fmt.Sprintf("alerts.webhooks[%d].secret", i), w.Secret)
	}
	look("admin_token", c.AdminToken)
	look("ledger.postgres", c.Ledger.Postgres)
	if c.Breaker.Etcd != nil {
		look("breaker.etcd.password", c.Breaker.Etcd.Password)
	}
	if c.Cache != nil {
		look("cache.secret", c.Cache.Secret)
		if c.Cache.Redis != nil {
			look("cache.redis.password", c.Cache.Redis.Password)
		}
	}
	return list
}

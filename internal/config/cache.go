package config

import (
	"net/url"
	"strings"

	"github.com/weir-gateway/weir/internal/schema"
)

// Cache says which answers the gateway keeps to give them again, and whether it
// makes use of the upstream's cache of prompts. See [Cache.Answers].
type Cache struct {
	Prompt *Prompt `yaml:"prompt,omitempty" jsonschema:"description=marks for the upstream's prompt cache; alone it makes no cache of answers"`

	Default  string          `yaml:"default,omitempty" jsonschema:"enum=off,enum=read,enum=write,enum=on,description=for calls without the header weir-cache; default: off"`
	MaxBytes int64           `yaml:"max_bytes,omitempty" jsonschema:"minimum=1048576,description=of the memory; default: 268435456"`
	MaxAge   schema.Duration `yaml:"max_age,omitempty" jsonschema:"description=of an answer; default: 1h"`
	Share    bool            `yaml:"share,omitempty" jsonschema:"description=a tenant may get the answer to another tenant's equal request"`
	Secret   Ref             `yaml:"secret,omitempty" jsonschema:"description=what entries are named and encrypted with; the same for all gateways that share a Redis; default: one that is made in the data folder"`
	Disk     *CacheDisk      `yaml:"disk,omitempty" jsonschema:"description=keep answers in the data folder as well to outlive a restart"`
	Redis    *CacheRedis     `yaml:"redis,omitempty" jsonschema:"description=keep answers in Redis as well for several gateways"`
}

// Answers reports whether answers are kept: c is not nil, and is not about
// prompts alone. Else the header weir-cache has no effect.
func (c *Cache) Answers() bool {
	if c == nil || c.Prompt == nil {
		return c != nil
	}
	rest := *c
	rest.Prompt = nil
	return rest != Cache{}
}

// CacheDisk bounds the answers in the data folder.
type CacheDisk struct {
	MaxBytes int64 `yaml:"max_bytes,omitempty" jsonschema:"minimum=1048576,description=of the files; default: 1073741824"`
}

// CacheRedis says where several gateways keep answers together.
type CacheRedis struct {
	Address  string `yaml:"address" jsonschema:"required,minLength=1,description=host:port or a URL such as rediss://redis.example:6379/2"`
	Username string `yaml:"username,omitempty" jsonschema:"description=of the Redis; default: its default user"`
	Password Ref    `yaml:"password,omitempty" jsonschema:"description=of the user"`
	Prefix   string `yaml:"prefix,omitempty" jsonschema:"description=of all keys; default: weir"`
}

// validate reports what is wrong with c, which may be nil.
func (c *Cache) validate(add func(path, message, hint string)) {
	if c == nil {
		return
	}
	c.Prompt.validate(add)
	if err := c.Secret.check(); c.Secret != "" && err != nil {
		add("cache.secret", err.Error(), refHint)
	}
	if c.Redis == nil {
		return
	}
	if err := c.Redis.Password.check(); c.Redis.Password != "" && err != nil {
		add("cache.redis.password", err.Error(), refHint)
	}
	// The address is not quoted: it may hold a password.
	const hint = "write host:port, such as 127.0.0.1:6379, or a URL such as redis://127.0.0.1:6379/0"
	if !strings.Contains(c.Redis.Address, "://") {
		if !address(c.Redis.Address) {
			add("cache.redis.address", "no address of Redis", hint)
		}
		return
	}
	u, err := url.Parse(c.Redis.Address)
	if err != nil || u.Host == "" || (u.Scheme != "redis" && u.Scheme != "rediss") {
		add("cache.redis.address", "no address of Redis", hint)
		return
	}
	if _, secret := u.User.Password(); secret {
		add("cache.redis.address", "holds a password", "give it as password: env:NAME")
	}
}

// check reports what is wrong with c in the configuration in effect.
func (c *Cache) check(data string, add func(path, message, hint string)) {
	if c == nil {
		return
	}
	if c.Disk != nil && data == "" {
		add("cache.disk", "there is no data folder to keep answers in", "set data, or leave disk out")
	}
	if c.Redis != nil && data == "" && c.Secret == "" {
		add("cache.redis", "after a restart nothing in Redis could be read: its key is forgotten", "set secret, the same for all gateways, or data")
	}
}

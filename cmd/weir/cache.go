package main

import (
	"cmp"
	"fmt"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/weir"
)

// cacheOptions turns the configuration of the caches into options: none if there
// are to be none.
func cacheOptions(c config.Config, e env) (opts []weir.Option, err error) {
	if c.Cache == nil {
		return nil, nil
	}
	if p := c.Cache.Prompt; p != nil && p.Enable {
		opts = append(opts, weir.WithPromptCaching(weir.PromptCaching{
			Repeats: p.MinRepeats, TTL: p.TTL.D(), ExceptTenants: p.ExceptTenants, ExceptModels: p.ExceptModels,
		}))
	}
	if !c.Cache.Answers() {
		return opts, nil
	}
	wish, _ := call.ParseCacheWish(cmp.Or(c.Cache.Default, "off"))
	out := weir.Cache{
		Default: wish, MaxBytes: c.Cache.MaxBytes, MaxAge: c.Cache.MaxAge.D(), Share: c.Cache.Share, Folder: c.Data,
	}
	if d := c.Cache.Disk; d != nil {
		out.Disk, out.DiskBytes = true, d.MaxBytes
	}
	if out.Secret, err = secretOf("cache.secret", c.Cache.Secret, e); err != nil {
		return nil, err
	}
	if r := c.Cache.Redis; r != nil {
		out.Redis = weir.CacheRedis{Address: r.Address, Username: r.Username, Prefix: r.Prefix}
		if out.Redis.Password, err = secretOf("cache.redis.password", r.Password, e); err != nil {
			return nil, err
		}
	}
	return append(opts, weir.WithCache(out)), nil
}

// secretOf reads a secret that may be left out.
func secretOf(path string, ref config.Ref, e env) (call.Secret, error) {
	if ref == "" {
		return call.Secret{}, nil
	}
	text, err := ref.Resolve(e.getenv)
	if err != nil {
		return call.Secret{}, fmt.Errorf("%s: %w", path, err)
	}
	return call.NewSecret(text), nil
}

package main

import (
	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/weir"
)

// maxTokensOf is the policy of max_tokens of a configuration.
func maxTokensOf(c config.Config) weir.MaxTokens {
	bound := func(m config.MaxTokens) weir.MaxTokensBound {
		return weir.MaxTokensBound{Default: call.Tokens(m.Default), Cap: call.Tokens(m.Cap)}
	}
	b := weir.MaxTokens{Tenants: map[string]weir.MaxTokensBound{}, Clients: map[string]weir.MaxTokensBound{}}
	b.Classes[call.Interactive] = bound(c.Classes.Interactive.MaxTokens)
	b.Classes[call.Normal] = bound(c.Classes.Normal.MaxTokens)
	b.Classes[call.Batch] = bound(c.Classes.Batch.MaxTokens)
	for name, t := range c.Tenants {
		b.Tenants[name] = bound(t.MaxTokens)
	}
	for _, cl := range c.Clients {
		b.Clients[cl.Name] = bound(cl.MaxTokens)
	}
	return b
}

package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/notify"
	"github.com/weir-gateway/weir/weir"
)

// warningsOf says when people are warned. In a configuration, 0 means never.
func warningsOf(c config.Config) weir.Warnings {
	w := weir.Warnings{Thresholds: c.Alerts.Thresholds, Forecast: c.Alerts.Forecast.D(), Budget: c.Alerts.Budget}
	if w.Forecast == 0 {
		w.Forecast = -1
	}
	if w.Budget == 0 {
		w.Budget = -1
	}
	return w
}

func newNotifier(c config.Config, e env, log *slog.Logger) (*notify.Notifier, error) {
	hooks, err := resolveHooks(c, e)
	if err != nil {
		return nil, err
	}
	return notify.New(notify.Config{Hooks: hooks, Every: c.Alerts.Every.D(), Log: log})
}

// resolveHooks reads the addresses and secrets of all webhooks and reports
// every fault.
func resolveHooks(c config.Config, e env) ([]notify.Hook, error) {
	var (
		list []notify.Hook
		errs []error
	)
	for _, w := range c.Alerts.Webhooks {
		address, err := w.URL.Resolve(e.getenv)
		if err != nil {
			errs = append(errs, fmt.Errorf("address of webhook %s: %w", w.Name, err))
		}
		secret := ""
		if w.Secret != "" {
			if secret, err = w.Secret.Resolve(e.getenv); err != nil {
				errs = append(errs, fmt.Errorf("secret of webhook %s: %w", w.Name, err))
			}
		}
		list = append(list, notify.Hook{
			Name: w.Name, URL: call.NewSecret(address), Form: notify.Form(w.Form),
			Secret: call.NewSecret(secret), Lang: w.Lang, Levels: w.Told(),
		})
	}
	return list, errors.Join(errs...)
}

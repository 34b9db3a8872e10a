package main

import (
	"cmp"
	"net"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/load"
)

// configured fills in what a configuration or a profile says beside the flags,
// if one is named.
func (f *loadFlags) configured(e env) error {
	if f.config != "" || f.profile != "" {
		c, err := config.Sources{File: f.config, Profile: f.profile, Getenv: e.getenv}.Load()
		if err != nil {
			return blameFlags(err, f.profile)
		}
		f.target = cmp.Or(f.target, dataURL(c))
		f.scenario = cmp.Or(f.scenario, c.Load.Scenario)
		if f.maxCost == "" && c.Load.MaxCost > 0 {
			f.maxCost = call.USD(c.Load.MaxCost).String()
		}
		if !f.shaped() {
			f.ramp = c.Load.Ramp
		}
	}
	f.target = cmp.Or(f.target, localGateway)
	return nil
}

// shaped reports whether the flags say how the load is to come.
func (f *loadFlags) shaped() bool {
	return f.ramp != "" || f.agents != 0 || f.rate != 0 || f.trace != "" || f.writeTrace != "" || f.compare.other != ""
}

// dataURL is where this machine reaches the data plane of a configuration.
func dataURL(c config.Config) string {
	scheme := "http://"
	if c.TLS != nil {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return scheme + net.JoinHostPort("127.0.0.1", port)
	}
	return scheme + c.Listen
}

// checkLoadTest reports what is wrong with the load test of a configuration,
// which weir serve does not care about.
func checkLoadTest(c config.Config) error {
	if c.Load.Ramp == "" {
		return nil
	}
	if _, err := load.ParseRamp(c.Load.Ramp); err != nil {
		return &config.Faults{File: "configuration", Faults: []config.Fault{{Path: "load.ramp", Message: err.Error(), Hint: "write steps such as 1,2,4,8x1m"}}}
	}
	return nil
}

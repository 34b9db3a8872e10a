package main

import (
	"path/filepath"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/ledger"
	"github.com/weir-gateway/weir/weir"
)

// budgetsFolder is where the leases of the budgets are in the data folder.
const budgetsFolder = "budgets"

// openLeases opens what is leased of the budgets: in PostgreSQL, where the
// ledger is there as well, else in the data folder. Without either the gateway
// itself keeps it, as long as it runs: then there is none.
func (s *service) openLeases() ([]weir.Option, error) {
	address, err := postgresOf(s.config, s.env)
	switch {
	case err != nil:
		return nil, err
	case !address.Empty():
		leases, err := ledger.OpenSharedLeases(address)
		if err != nil {
			return nil, err
		}
		s.atEnd(func() { leases.Close() })
		return []weir.Option{weir.WithBudgetLeases(leases)}, nil
	case s.config.Data == "":
		return nil, nil
	}
	leases, err := ledger.OpenLeases(filepath.Join(s.config.Data, budgetsFolder))
	if err != nil {
		return nil, err
	}
	s.atEnd(func() { leases.Close() })
	return []weir.Option{weir.WithBudgetLeases(leases)}, nil
}

// budgetsOf translates the budgets; the configuration has been checked.
func budgetsOf(c config.Config) []weir.Budget {
	list := make([]weir.Budget, len(c.Budgets))
	for i, b := range c.Budgets {
		list[i] = weir.Budget{
			Name: b.Name, Limit: call.USD(b.Limit), Period: b.Period, Zone: b.Zone,
			Tenant: b.Tenant, Token: b.Token, Model: b.Model, Each: b.Each,
			Soft: b.Soft, Degrade: b.AtSoft == config.AtSoftDegrade,
		}
	}
	return list
}

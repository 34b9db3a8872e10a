package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/ledger"
	"github.com/weir-gateway/weir/weir"
)

// ledgerFolder is where the ledger is in the data folder.
const ledgerFolder = "ledger"

// openLedger opens the ledger of a configuration. Without a data folder its
// journal, and what is not in PostgreSQL, is kept as long as the gateway runs.
// The function that it returns closes it.
func openLedger(c config.Config, e env, log *slog.Logger) (*ledger.Ledger, func(), error) {
	address, err := postgresOf(c, e)
	if err != nil {
		return nil, nil, err
	}
	dir, remove := filepath.Join(c.Data, ledgerFolder), func() {}
	if c.Data == "" {
		temp, err := os.MkdirTemp("", "weir-ledger-")
		if err != nil {
			return nil, nil, err
		}
		dir, remove = temp, func() { os.RemoveAll(temp) }
		if !address.Empty() {
			log.Warn("without a data folder, records that PostgreSQL has not taken are gone with this process: give --data")
		}
	}
	l, err := ledger.Open(ledger.Config{
		Dir: dir, Keep: c.Ledger.Retention.D(), Postgres: address, MaxJournal: c.Ledger.MaxJournal, Log: log,
	})
	if err != nil {
		remove()
		return nil, nil, err
	}
	return l, func() { l.Close(); remove() }, nil
}

// postgresOf is the address of the ledger's database; empty: a file will do.
func postgresOf(c config.Config, e env) (call.Secret, error) {
	if c.Ledger.Postgres == "" {
		return call.Secret{}, nil
	}
	address, err := c.Ledger.Postgres.Resolve(e.getenv)
	if err != nil {
		return call.Secret{}, fmt.Errorf("address of the ledger's PostgreSQL: %w", err)
	}
	return call.NewSecret(address), nil
}

// pricesOf reads the prices that a configuration names.
func pricesOf(c config.Config) (weir.Prices, error) {
	var p weir.Prices
	if c.Ledger.Ceiling != nil {
		p.CeilingInput, p.CeilingOutput = c.Ledger.Ceiling.Amounts()
	}
	if c.Ledger.Prices == "" {
		return p, nil
	}
	table, err := os.ReadFile(c.Ledger.Prices)
	if err != nil {
		return p, hinted{fmt.Errorf("ledger.prices: %w", err), "name a file in the form of internal/price/prices.json, or leave it out for list prices"}
	}
	p.Table = table
	return p, nil
}

// warnings joins what is wrong and yet keeps nobody from serving.
func warnings(of ...func() error) func() error {
	return func() error {
		errs := make([]error, len(of))
		for i, f := range of {
			errs[i] = f()
		}
		return errors.Join(errs...)
	}
}

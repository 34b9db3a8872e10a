package main

import (
	"context"
	"time"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/ledger"
	"github.com/weir-gateway/weir/weir"
)

// ledger looks at what the ledger needs outside the data folder.
func (d *doctor) ledger(ctx context.Context, c config.Config) {
	prices, err := pricesOf(c)
	if err == nil {
		_, err = weir.New(weir.WithPrices(prices))
	}
	if err != nil {
		d.note("ledger", broken, err.Error(), "mend ledger.prices; its form is that of internal/price/prices.json")
	}
	if c.Ledger.Postgres == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c.Data = "" // what a gateway has not carried over is no business of the database
	r, err := readLedger(c, d.env)
	if err != nil {
		d.note("ledger", broken, err.Error(), "let ledger.postgres refer to an address such as postgres://user:password@host:5432/database")
		return
	}
	defer r.Close()
	today := time.Now()
	if _, err := r.Usage(ctx, ledger.Span{First: today, Last: today}, nil); err != nil {
		d.note("ledger", doubt, err.Error(), "records wait in the journal until PostgreSQL takes them: see that it runs, and that the user may use it")
		return
	}
	d.note("ledger", well, "PostgreSQL answers", "")
}

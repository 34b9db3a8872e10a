package config_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
)

func TestLedger(t *testing.T) {
	file := write(t, `ledger: {postgres: "env:LEDGER", retention: 400d, prices: prices.json, ceiling: {input: "25", output: "125"}, max_journal: 2097152}`)
	c, err := config.Load(file, getenv())
	if err != nil {
		t.Fatal(err)
	}
	l := c.Ledger
	in, out := l.Ceiling.Amounts()
	if l.Retention.D() != 400*24*time.Hour || l.Prices != filepath.Join(filepath.Dir(file), "prices.json") || in != 25*call.Dollar || out != 125*call.Dollar || l.Postgres != "env:LEDGER" {
		t.Errorf("got %+v", l)
	}
}

func TestLedgerFaultsAreToldAtOnce(t *testing.T) {
	_, err := config.Load(write(t, `ledger: {postgres: "postgres://weir:hush@host/db", retention: 5m, ceiling: {input: "0", output: cheap}}`), getenv())
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{"ledger.postgres", "ledger.retention", "ledger.ceiling.input", "ledger.ceiling.output", "90d"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hush") {
		t.Errorf("the password is shown: %v", err)
	}
}

package main

import (
	"log/slog"
	"os"
	"path/filepath"

	"github.com/weir-gateway/weir/internal/ledger"
)

// ledgerFolder is where the ledger is in the data folder.
const ledgerFolder = "ledger"

// openLedger opens the ledger of a data folder. Without one it is kept as long
// as the gateway runs. The function that it returns closes it.
func openLedger(data string, log *slog.Logger) (*ledger.Ledger, func(), error) {
	dir, remove := filepath.Join(data, ledgerFolder), func() {}
	if data == "" {
		temp, err := os.MkdirTemp("", "weir-ledger-")
		if err != nil {
			return nil, nil, err
		}
		dir, remove = temp, func() { os.RemoveAll(temp) }
	}
	l, err := ledger.Open(ledger.Config{Dir: dir, Log: log})
	if err != nil {
		remove()
		return nil, nil, err
	}
	return l, func() { l.Close(); remove() }, nil
}

package weir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/weir-gateway/weir/internal/files"
)

// recall reads the accounts' states of an earlier life. What cannot be read is
// learned again from answers, so that it keeps nobody from starting.
func (g *Gateway) recall(file string) {
	g.memory = file
	if file == "" {
		return
	}
	data, err := os.ReadFile(file)
	if err == nil {
		err = g.keys.Recall(time.Now(), data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.log.Warn("the accounts' states are not remembered", "file", file, "cause", err)
	}
}

// remember writes the accounts' states down whenever they change.
func (g *Gateway) remember(ctx context.Context) {
	for g.memory != "" {
		select {
		case <-ctx.Done():
			return
		case <-g.keys.Changed():
		}
		if err := g.writeDown(); err != nil {
			g.log.Error("cannot remember the accounts' states", "file", g.memory, "cause", err)
		}
	}
}

// writeDown replaces the file as a whole.
func (g *Gateway) writeDown() error {
	data, err := g.keys.Remember()
	if err != nil {
		return err
	}
	return files.Replace(g.memory, data)
}

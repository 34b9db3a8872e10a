// Package top shows in a terminal what the live page shows: the quota as an
// interval, who waits and who goes next, the latest requests, and what keeps
// calls from being served. It reads the admin plane like any other program.
//
// The model, its updates and its view are pure: what is on the screen follows
// from the picture and the keys that were pressed. Symbols and words carry the
// meaning; colours repeat it.
package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	tea "charm.land/bubbletea/v2"
)

// Screen is a terminal.
type Screen struct {
	In      io.Reader
	Out     io.Writer
	NoColor bool
}

// Run shows the gateway behind c until the user or ctx ends it.
func Run(ctx context.Context, c *Client, lang string, s Screen) error {
	p := tea.NewProgram(NewModel(lang, c.URL, s.NoColor), tea.WithContext(ctx), tea.WithInput(s.In), tea.WithOutput(s.Out))
	following, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.Follow(following, func(n News) { p.Send(n) }) })
	defer wg.Wait()
	defer stop()
	_, err := p.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return nil // the signal that ends every command
	}
	return err
}

// Once writes one picture as plain text, width columns wide.
func Once(ctx context.Context, c *Client, lang string, out io.Writer, width int) error {
	picture, err := c.Picture(ctx)
	if err != nil {
		return err
	}
	m := NewModel(lang, c.URL, true)
	m.width, m.height, m.link = width, 1<<16, live
	m.picture = picture
	for _, line := range m.whole() {
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return nil
}

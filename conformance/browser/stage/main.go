// Command stage serves the admin plane in every state that the page can show,
// each on a loopback port of its own, for the tests in Chromium and for the
// pictures in docs. Nothing behind it is real: the figures are made up, and
// move.
//
// It prints one line a state, "stage: NAME URL", and ends with its standard
// input.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/dash"
)

// token opens the state that asks for one.
const token = "open-sesame-open-sesame"

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "stage: error:", err)
		os.Exit(1)
	}
}

// run serves until in has ended.
func run(in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	began := time.Now()
	login := small(began)
	login.Token = call.NewSecret(token)
	keyed := small(began)
	keyed.Asks = "key"
	for _, s := range []struct {
		name   string
		source dash.Source
	}{
		{"empty", dash.Source{Version: version}},
		{"busy", small(began)},
		{"outage", outage(began)},
		{"blocked", blocked(began)},
		{"crowd", crowd(began)},
		{"keyed", keyed},
		{"login", login},
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		s.source.Closing = ctx.Done()
		page := dash.New(s.source)
		go page.Run(ctx)
		srv := &http.Server{Handler: page, ReadHeaderTimeout: 10 * time.Second}
		go srv.Serve(l)
		defer srv.Close()
		fmt.Fprintf(out, "stage: %s http://%s\n", s.name, l.Addr())
	}
	_, err := io.Copy(io.Discard, in)
	return err
}

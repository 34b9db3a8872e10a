package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/ledger"
)

// finding is what one check of weir doctor has found.
type finding struct {
	Check  string `json:"check"`
	State  string `json:"state"` // ok, warning, failed
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"` // what to do
}

// The states of a finding.
const (
	well   = "ok"
	doubt  = "warning"
	broken = "failed"
)

// doctor collects findings.
type doctor struct {
	env      env
	http     *http.Client
	findings []finding
}

func (d *doctor) note(check, state, found, advice string) {
	d.findings = append(d.findings, finding{check, state, found, advice})
}

func doctorCommand(e env) *cobra.Command {
	var (
		f      serveFlags
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check configuration, keys, limits, clock, store and reachability",
		Long: "Check what weir serve would need, and say what to do where something is wrong:\n" +
			"configuration, secrets, addresses, data folder, reachability of the API, keys,\n" +
			"limits and clock. Each key is tried by counting the tokens of one word, which\n" +
			"is free. It changes nothing; a gateway may be running.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
			defer transport.CloseIdleConnections()
			d := &doctor{env: e, http: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
			d.examine(cmd.Context(), f)
			return d.report(asJSON)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// examine makes all checks that the earlier ones leave possible.
func (d *doctor) examine(ctx context.Context, f serveFlags) {
	x, err := effective(d.env, f)
	if err != nil {
		d.invalid(err)
		return
	}
	c := x.Config
	d.note("configuration", well, summary(c), "")
	for _, w := range c.Warnings() {
		d.note(w.Path, doubt, w.Message, w.Hint)
	}
	d.secrets(c)
	d.store(c)
	d.ledger(ctx, c)
	d.addresses(ctx, c)
	d.api(ctx, c)
	d.limits(ctx, c)
}

// invalid notes every fault of a configuration.
func (d *doctor) invalid(err error) {
	faulty, ok := errors.AsType[*config.Faults](err)
	if !ok {
		d.note("configuration", broken, err.Error(), "give --config the file's right name")
		return
	}
	for _, fault := range faulty.Faults {
		hint := fault.Hint
		fault.Hint = ""
		d.note("configuration", broken, faulty.File+": "+fault.String(), hint)
	}
}

// secrets resolves whatever is referred to.
func (d *doctor) secrets(c config.Config) {
	missing := c.Unresolved(d.env.getenv)
	for _, m := range missing {
		d.note("secrets", broken, m.Path+": "+m.Message, m.Hint)
	}
	if len(missing) == 0 {
		d.note("secrets", well, "all can be read", "")
	}
}

// store looks at the data folder.
func (d *doctor) store(c config.Config) {
	if c.Data == "" {
		d.note("store", doubt, "there is no data folder", "give --data, so that usage and blocked accounts outlive a restart")
		return
	}
	probe := filepath.Join(c.Data, ".doctor")
	err := os.MkdirAll(c.Data, 0o700)
	if err == nil {
		err = os.WriteFile(probe, nil, 0o600)
	}
	if err != nil {
		d.note("store", broken, err.Error(), "make the folder writable for the user that runs weir serve")
		return
	}
	_ = os.Remove(probe) // it is empty
	r, err := ledger.Read(filepath.Join(c.Data, ledgerFolder))
	switch {
	case err == nil:
		r.Close()
		d.note("store", well, c.Data+" is writable, its ledger can be read", "")
	case errors.Is(err, os.ErrNotExist):
		d.note("store", well, c.Data+" is writable, and has no ledger yet", "")
	default:
		d.note("store", broken, err.Error(), "restore the folder ledger from a copy, or move it away: weir serve begins a new one")
	}
}

// addresses finds out whether weir serve could listen, or runs already.
func (d *doctor) addresses(ctx context.Context, c config.Config) {
	for name, address := range map[string]string{"listen": c.Listen, "admin": c.Admin} {
		if address == config.Off {
			continue
		}
		l, err := net.Listen("tcp", address)
		if err == nil {
			l.Close()
			d.note(name, well, address+" is free", "")
			continue
		}
		if d.serving(ctx, c) {
			d.note(name, well, address+" is used by a running gateway", "")
			continue
		}
		d.note(name, broken, err.Error(), "stop what uses it, or choose another address with --"+name)
	}
}

// serving reports whether a gateway answers at the admin address.
func (d *doctor) serving(ctx context.Context, c config.Config) bool {
	scheme := "http"
	if c.AdminIsPublic() && c.TLS != nil {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+c.Admin+"/healthz", nil)
	if err != nil {
		return false
	}
	resp, err := d.http.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// marks are how a finding's state is shown.
var marks = map[string]string{well: "ok     ", doubt: "warning", broken: "FAILED "}

var errUnwell = errors.New("something is wrong")

// report prints the findings; it is an error if something is wrong.
func (d *doctor) report(asJSON bool) error {
	wrong := 0
	for _, f := range d.findings {
		if f.State == broken {
			wrong++
		}
	}
	if asJSON {
		if err := printJSON(d.env.stdout, d.findings); err != nil {
			return err
		}
	} else {
		for _, f := range d.findings {
			fmt.Fprintf(d.env.stdout, "%s  %s: %s\n", marks[f.State], f.Check, f.Found)
			if f.Advice != "" {
				fmt.Fprintf(d.env.stdout, "         -> %s\n", f.Advice)
			}
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%w: %d of %d checks failed", errUnwell, wrong, len(d.findings))
	}
	return nil
}

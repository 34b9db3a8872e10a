package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/weir"
)

// word is a request that is free: its tokens are counted.
const word = `{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"hi"}]}`

// api tries every key at its upstream. Without keys, only whether the upstream
// answers can be known.
func (d *doctor) api(ctx context.Context, c config.Config) {
	list, err := resolveKeys(c, d.env)
	if err != nil {
		return // the secrets are told of already
	}
	if c.Upstream == config.Simulator {
		d.note("api", well, "the simulator, which weir serve starts inside itself", "")
		return
	}
	if len(list) == 0 {
		if resp := d.ask(ctx, "api", c.Upstream, ""); resp != nil {
			d.note("api", well, c.Upstream+" answers; the callers' keys cannot be checked from here", "")
			d.clock(resp)
		}
		return
	}
	for i, k := range list {
		resp := d.ask(ctx, "key "+k.Name, cmp.Or(k.Upstream, c.Upstream), k.Secret)
		if resp == nil {
			continue
		}
		d.key(k, resp)
		if i == 0 {
			d.clock(resp)
		}
	}
}

// reply is what came back.
type reply struct {
	*http.Response
	body []byte
	took time.Duration
}

// ask counts the tokens of one word.
func (d *doctor) ask(ctx context.Context, check, upstream, key string) *reply {
	return d.send(ctx, check, http.MethodPost, call.APIBase(upstream)+"/v1/messages/count_tokens", key, strings.NewReader(word))
}

// send asks the API. It notes why, if there is no answer.
func (d *doctor) send(ctx context.Context, check, method, url, key string, body io.Reader) *reply {
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err == nil {
		req.Header = http.Header{"Content-Type": {"application/json"}, "Anthropic-Version": {"2023-06-01"}}
		if key != "" {
			req.Header.Set("X-Api-Key", key)
		}
		var resp *http.Response
		if resp, err = d.http.Do(req); err == nil {
			defer resp.Body.Close()
			body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what could be read will do
			return &reply{resp, body, time.Since(began)}
		}
	}
	d.note(check, broken, err.Error(), "check the address of the API (upstream), the network, and HTTPS_PROXY")
	return nil
}

// limits reads the rate limits of the organizations whose admin keys are known.
func (d *doctor) limits(ctx context.Context, c config.Config) {
	told := false
	for _, k := range c.Keys {
		if k.AdminKey == "" {
			continue
		}
		check := "limits of " + k.Name
		secret, err := k.AdminKey.Resolve(d.env.getenv)
		if err != nil {
			d.note(check, broken, err.Error(), "set the variable, or write the file, that admin_key refers to")
			continue
		}
		resp := d.send(ctx, check, http.MethodGet, call.APIBase(c.Upstream)+"/v1/organizations/rate_limits", secret, nil)
		if resp == nil {
			continue
		}
		if resp.StatusCode != http.StatusOK {
			d.note(check, broken, "status "+resp.Status, "create an admin key (sk-ant-admin…) of the same organization in the Console")
			continue
		}
		told = true
		d.note(check, well, "the Admin API tells them", "")
	}
	if !told && len(c.Keys) > 0 {
		d.note("limits", well, "they are learned from answers; an admin_key beside a key tells them beforehand", "")
	}
}

// key notes what the answer to a key means.
func (d *doctor) key(k weir.APIKey, resp *reply) {
	check := "key " + k.Name
	if resp.StatusCode == http.StatusOK {
		whose := resp.Header.Get("Anthropic-Organization-Id")
		d.note(check, well, fmt.Sprintf("it is accepted (organization %s)", cmp.Or(whose, "not told")), "")
		return
	}
	var said struct {
		Error struct{ Message string }
	}
	_ = json.Unmarshal(resp.body, &said) // a relay may say it in another form
	found := fmt.Sprintf("status %d: %s", resp.StatusCode, cmp.Or(said.Error.Message, http.StatusText(resp.StatusCode)))
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		d.note(check, broken, found, "create a key in the Console, and put it where the configuration points")
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= 500:
		d.note(check, doubt, found, "nothing is known of the key now: try again in a minute")
	case resp.StatusCode == http.StatusNotFound:
		d.note(check, doubt, found, "this upstream does not count tokens, so the key could not be tried for free")
	default:
		d.note(check, broken, found, "the Console shows credit, limits and the key's workspace")
	}
}

// skew is a difference of clocks that disturbs nobody.
const skew = 5 * time.Second

// clock compares ours with the upstream's, which reset times refer to.
func (d *doctor) clock(resp *reply) {
	theirs, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return
	}
	off := time.Since(theirs) - resp.took/2
	if off.Abs() > skew {
		d.note("clock", doubt, fmt.Sprintf("it differs from the upstream's by %s", off.Round(time.Second)), "let the machine take its time from the network (NTP); Weir corrects for it meanwhile")
		return
	}
	d.note("clock", well, "it agrees with the upstream's", "")
}

package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/adminapi"
)

// Config says whose reports to read. Upstream and Key are needed.
type Config struct {
	Upstream  string      // address of the API
	Key       call.Secret // an admin key, sk-ant-admin…
	Transport http.RoundTripper
}

// Client reads the reports of one organization.
type Client struct{ api adminapi.Client }

// The bounds of what is asked and read.
const (
	maxPages = 100
	daysPage = "31" // the most that the API gives at once
	version  = "2023-06-01"
)

// New returns a client. It asks nothing yet.
func New(cfg Config) *Client {
	return &Client{adminapi.Client{Upstream: cfg.Upstream, Key: cfg.Key, Version: version, Transport: cfg.Transport}}
}

// ErrRefused says that the API does not take the admin key.
var ErrRefused = errors.New("the Admin API refused the admin key")

// wireReport is one page of either report.
type wireReport struct {
	Data []struct {
		From    time.Time    `json:"starting_at"`
		Results []wireResult `json:"results"`
	} `json:"data"`
	More bool   `json:"has_more"`
	Next string `json:"next_page"`
}

type wireResult struct {
	Model    string                 `json:"model"`
	Input    call.Tokens            `json:"uncached_input_tokens"`
	Read     call.Tokens            `json:"cache_read_input_tokens"`
	Creation map[string]call.Tokens `json:"cache_creation"` // by how long it lives
	Output   call.Tokens            `json:"output_tokens"`
	Amount   string                 `json:"amount"` // cents
}

// Read returns what was used and charged on the days from first to last, both
// included. It asks twice a page of 31 days.
func (c *Client) Read(ctx context.Context, first, last time.Time) (map[Key]Figures, error) {
	out := map[Key]Figures{}
	query := url.Values{
		"starting_at": {first.UTC().Format(time.DateOnly) + "T00:00:00Z"},
		"ending_at":   {last.UTC().AddDate(0, 0, 1).Format(time.DateOnly) + "T00:00:00Z"},
		"limit":       {daysPage}, "bucket_width": {"1d"},
	}
	query["group_by[]"] = []string{"model"}
	err := c.each(ctx, "/v1/organizations/usage_report/messages", query, func(k Key, r wireResult) error {
		f := Figures{Input: r.Input, CacheRead: r.Read, Output: r.Output}
		for _, n := range r.Creation {
			f.CacheWrite += n
		}
		out[k] = out[k].Add(f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	query.Del("bucket_width") // it knows days alone
	query["group_by[]"] = []string{"description"}
	err = c.each(ctx, "/v1/organizations/cost_report", query, func(k Key, r wireResult) error {
		cost, err := dollars(r.Amount)
		out[k] = out[k].Add(Figures{Cost: cost})
		return err
	})
	return out, err
}

// dollars reads a decimal number of cents, which may be negative.
func dollars(cents string) (call.USD, error) {
	amount, ok := new(big.Rat).SetString(cents)
	if !ok || strings.ContainsAny(cents, "/eE") {
		return 0, fmt.Errorf("%q is no amount in cents", cents)
	}
	amount.Mul(amount, big.NewRat(int64(call.Dollar)/100, 1))
	whole := new(big.Int).Quo(amount.Num(), amount.Denom())
	if !whole.IsInt64() {
		return 0, fmt.Errorf("%q is too much", cents)
	}
	return call.USD(whole.Int64()), nil
}

// each hands the results of all pages of a report to do.
func (c *Client) each(ctx context.Context, path string, query url.Values, do func(Key, wireResult) error) error {
	query.Del("page")
	for range maxPages {
		var page wireReport
		if err := c.get(ctx, path+"?"+query.Encode(), &page); err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		for _, day := range page.Data {
			for _, r := range day.Results {
				if err := do(Key{day.From.UTC().Format(time.DateOnly), Model(r.Model)}, r); err != nil {
					return fmt.Errorf("read %s: %w", path, err)
				}
			}
		}
		if !page.More || page.Next == "" || page.Next == query.Get("page") {
			return nil
		}
		query.Set("page", page.Next)
	}
	return fmt.Errorf("read %s: more than %d pages", path, maxPages)
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	r, err := c.api.Get(ctx, path)
	switch {
	case err != nil:
		return err
	case r.Code == http.StatusUnauthorized, r.Code == http.StatusForbidden:
		return ErrRefused
	case r.Code != http.StatusOK:
		return fmt.Errorf("the Admin API answered %s", r.Status)
	}
	return json.Unmarshal(r.Body, into)
}

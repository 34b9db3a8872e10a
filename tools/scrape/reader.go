package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// reader asks a Prometheus by its HTTP API.
type reader struct{ url string }

// looksWell waits until all that a healthy gateway shows has been scraped.
func (r reader) looksWell(ctx context.Context, metrics []string) error {
	checks := []string{
		`up{job="weir"} == 1`,
		fmt.Sprintf(`sum(weir_requests_total{outcome="ok"}) == %d`, calls),
		fmt.Sprintf(`sum(weir_upstream_attempts_total{kind="ok"}) == %d`, calls),
		fmt.Sprintf(`sum(weir_wait_seconds_count) == %d`, calls),
		`count(weir_quota_limit > 0) == 3`,
		`sum(weir_tokens_total{kind="output"}) > 0`,
		`min(weir_quota_headroom_ratio) > 0`,
		`sum(weir_first_token_seconds_count{group="claude-haiku-4-5"}) > 0`,
		`weir_ready == 1`,
	}
	for _, expr := range append(checks, metrics...) {
		if err := r.await(ctx, expr); err != nil {
			return err
		}
	}
	fmt.Printf("prometheus: the target is up, %d figures are right, %d metrics have series\n", len(checks), len(metrics))
	return r.rulesWork(ctx)
}

// rulesWork checks that each alert of the rules has been evaluated without an
// error, and that none of them fires.
func (r reader) rulesWork(ctx context.Context) error {
	var answer struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError, State string }
		}
	}
	for {
		if err := r.get(ctx, "/api/v1/rules", nil, &answer); err != nil {
			return err
		}
		n, fresh := 0, 0
		for _, g := range answer.Groups {
			for _, rule := range g.Rules {
				switch {
				case rule.Health == "unknown": // not evaluated yet
					fresh++
				case rule.Health != "ok" || rule.State == "firing":
					return fmt.Errorf("rule %s: %s %s %s", rule.Name, rule.Health, rule.State, rule.LastError)
				}
				n++
			}
		}
		if n > 0 && fresh == 0 {
			fmt.Printf("prometheus: %d alerts have been evaluated, none fires\n", n)
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%d of %d rules have not been evaluated: %w", fresh, n, err)
		}
	}
}

// alarm waits for the alert of a gateway that is gone.
func (r reader) alarm(ctx context.Context) error {
	if err := r.await(ctx, `ALERTS{alertname="WeirDown",alertstate=~"pending|firing"} == 1`); err != nil {
		return err
	}
	fmt.Println("prometheus: the gateway's end is noticed")
	return nil
}

// await asks until expr has a result.
func (r reader) await(ctx context.Context, expr string) error {
	for {
		var answer struct {
			Result []struct{ Value [2]any }
		}
		if err := r.get(ctx, "/api/v1/query", url.Values{"query": {expr}}, &answer); err != nil {
			return fmt.Errorf("%s: %w", expr, err)
		}
		for _, s := range answer.Result {
			text, _ := s.Value[1].(string)
			if _, err := strconv.ParseFloat(text, 64); err == nil {
				return nil
			}
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%s never had a value: %w", expr, err)
		}
	}
}

// get reads the data of one answer. A server that is not there yet, or still
// starting, is asked again.
func (r reader) get(ctx context.Context, path string, query url.Values, v any) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path+"?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		var answer struct {
			Status, Error string
			Data          json.RawMessage
		}
		err = json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusServiceUnavailable:
			if err := pause(ctx); err != nil {
				return err
			}
		case err != nil:
			return err
		case answer.Status != "success":
			return errors.New(answer.Error)
		default:
			return json.Unmarshal(answer.Data, v)
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(200 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

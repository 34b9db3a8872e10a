package refusals

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProbe(t *testing.T) {
	for _, c := range Cases() {
		if c.Ask.Filler > 1<<20 || c.Ask.Models {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, err := Open(Memory, c)
				if err != nil {
					t.Error(err)
					return
				}
				for range 2 {
					began := time.Now()
					body := fmt.Sprintf(`{"model":%q,"max_tokens":64,"stream":%t,"messages":[{"role":"user","content":%q}]}`, c.Ask.Model, c.Ask.Stream, "hi"+strings.Repeat(" weir", c.Ask.Filler/5))
					req, _ := http.NewRequest("POST", h.URL+c.Ask.Prefix+"/v1/messages", strings.NewReader(body))
					req.Header.Set("Anthropic-Version", "2023-06-01")
					req.Header.Set("Content-Type", "application/json")
					if c.Ask.Bearer {
						req.Header.Set("Authorization", "Bearer "+c.Ask.Key)
					} else if c.Ask.Key != "" {
						req.Header.Set("X-Api-Key", c.Ask.Key)
					}
					req.Header.Set("Weir-Lang", "zh")
					for k, v := range c.Ask.Headers {
						req.Header.Set(k, v)
					}
					resp, err := h.Way.RoundTrip(req)
					if err != nil {
						t.Error(err)
						break
					}
					raw, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					s := string(raw)
					if i := strings.Index(s, "event: error"); i > 0 {
						s = s[i:]
					}
					t.Logf("%v %d ra=%q sr=%q %.600s", time.Since(began), resp.StatusCode, resp.Header.Get("Retry-After"), resp.Header.Get("X-Should-Retry"), s)
					if !c.Expect.Served {
						break
					}
					time.Sleep(time.Duration(h.Met().RetryAfter) * time.Second)
				}
				if err := h.Close(); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Second)
			})
		})
	}
}

package adminapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/adminapi"
)

func TestGet(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if h := req.Header; h.Get("X-Api-Key") != "sk-ant-admin-1" || h.Get("Anthropic-Version") != "2023-06-01" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(req.URL.RequestURI()))
	}))
	t.Cleanup(api.Close)
	for _, end := range []string{"", "/", "/v1", "/v1/"} {
		c := &adminapi.Client{Upstream: api.URL + end, Key: call.NewSecret("sk-ant-admin-1"), Version: "2023-06-01"}
		r, err := c.Get(t.Context(), "/v1/organizations/rate_limits?page=2")
		if err != nil || r.Code != http.StatusOK || string(r.Body) != "/v1/organizations/rate_limits?page=2" {
			t.Errorf("%q: %+v, %v", end, r, err)
		}
	}
	if r, err := (&adminapi.Client{Upstream: api.URL}).Get(t.Context(), "/v1"); err != nil || r.Code != http.StatusUnauthorized {
		t.Errorf("a status is no error: %+v, %v", r, err)
	}
}

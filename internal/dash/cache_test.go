package dash

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
)

func TestPurge(t *testing.T) {
	var purged []string
	src := source()
	src.Token = call.NewSecret(adminToken)
	src.Cache = func() call.CacheReport { return call.CacheReport{Hits: 3} }
	src.PurgeCache = func(tenant string) error {
		purged = append(purged, tenant)
		if tenant == "far" {
			return errors.New("redis is away")
		}
		return nil
	}
	h := New(src)
	foreign := func(req *http.Request) {
		bearer(adminToken)(req)
		req.Header.Set("Sec-Fetch-Site", "cross-site")
	}
	for _, tt := range []struct {
		name, path string
		edit       func(*http.Request)
		want       int
		purged     string
	}{
		{"stranger", "/api/v1/cache?tenant=a", nil, 401, ""},
		{"wrong-token", "/api/v1/cache?tenant=a", bearer("x"), 401, ""},
		{"another-site", "/api/v1/cache?tenant=a", foreign, 403, ""},
		{"whose", "/api/v1/cache", bearer(adminToken), 400, ""},
		{"both", "/api/v1/cache?tenant=a&all=true", bearer(adminToken), 400, ""},
		{"tenant", "/api/v1/cache?tenant=a%20b", bearer(adminToken), 204, "a b"},
		{"all", "/api/v1/cache?all=true", bearer(adminToken), 204, "-"},
		{"a-store-is-away", "/api/v1/cache?tenant=far", bearer(adminToken), 503, "far"},
		{"elsewhere", "/api/v1/quota", bearer(adminToken), 405, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			purged = nil
			got := ask(h, http.MethodDelete, tt.path, tt.edit)
			if told := strings.Join(purged, ","); got.Code != tt.want || told != strings.Trim(tt.purged, "-") {
				t.Errorf("%d %s, purged %q", got.Code, got.Body, purged)
			}
		})
	}
	if got := ask(h, http.MethodGet, "/api/v1/cache", bearer(adminToken)); got.Code != 200 || !strings.Contains(got.Body.String(), `"hits":3`) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	none := New(source())
	if got := ask(none, http.MethodDelete, "/api/v1/cache?all=true", nil); got.Code != 404 {
		t.Errorf("without a cache: %d", got.Code)
	}
}

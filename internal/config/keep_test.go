package config_test

import (
	"slices"
	"testing"

	"github.com/weir-gateway/weir/internal/config"
)

func TestKeepWhatTakesANewStart(t *testing.T) {
	explain := func(text string) config.Explained {
		t.Helper()
		e, err := config.Sources{File: write(t, text), Profile: "development", Getenv: getenv()}.Explain()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	was := explain("listen: 127.0.0.1:1\ncache: {max_age: 1h}\nalerts: {budget: 50}\n")
	next := explain("listen: 127.0.0.1:2\nqueue: {at_once: 9}\ncache: {max_age: 2h, share: true}\nalerts: {budget: 60}\n")
	if paths := next.Keep(was); !slices.Equal(paths, []string{"listen", "queue", "cache"}) {
		t.Errorf("it keeps %v", paths)
	}
	c := next.Config
	if c.Listen != "127.0.0.1:1" || c.Queue.AtOnce != 3 || c.Cache.Share || c.Cache.MaxAge != 2*was.Config.Cache.MaxAge || c.Alerts.Budget != 60 {
		t.Errorf("got %+v, cache %+v", c, c.Cache)
	}
	for path, want := range map[string]string{"listen": "file", "queue.at_once": "profile", "cache.share": "", "alerts.budget": "file"} {
		if got := next.Origins[path]; got != want {
			t.Errorf("%s is from %q, want %q", path, got, want)
		}
	}
	if was.Config.Cache.MaxAge == c.Cache.MaxAge {
		t.Error("the old configuration has changed")
	}
}

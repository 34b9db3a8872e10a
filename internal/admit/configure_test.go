package admit_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/admit"
	"github.com/weir-gateway/weir/internal/quota"
)

// groups lists the lanes' groups of one organization.
func (d *desk) groups(organization string) (names []string) {
	for _, ln := range d.Queue(time.Now()).Lanes {
		if ln.Organization == organization {
			names = append(names, ln.Group)
		}
	}
	return names
}

func pool(name string, input float64, models ...string) quota.ModelGroup {
	return quota.ModelGroup{Name: name, Models: models, Limits: [call.NumLimiters]float64{60, input, 60_000}}
}

func TestToldGroupsMergeLanesWithWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, admit.Config{}, 0.2) // a lane of model m
		other := d.call(1, time.Second)
		other.Model = "n"
		p, err := d.Admit(t.Context(), other, "key-a")
		if err != nil {
			t.Fatal(err)
		}
		p.Release(time.Now())
		var wg sync.WaitGroup
		waiting := d.call(30_000, time.Hour)
		wg.Go(func() {
			p, err := d.Admit(t.Context(), waiting, "key-a")
			if err != nil {
				t.Error(err)
				return
			}
			p.Release(time.Now())
		})
		synctest.Wait()
		if got := d.groups("org"); !slices.Equal(got, []string{"m", "n"}) {
			t.Fatalf("lanes %v", got)
		}
		d.Configure(time.Now(), "org", "", []quota.ModelGroup{pool("both", 60_000, "m", "n")})
		if got := d.groups("org"); !slices.Equal(got, []string{"both"}) || d.Queue(time.Now()).Waiting != 1 {
			t.Errorf("lanes %v, %d waiting", got, d.Queue(time.Now()).Waiting)
		}
		wg.Wait() // the waiter was not lost
	})
}

func TestToldLimitsAreThereBeforeTheFirstCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{Room: admit.New(admit.Config{}, quota.BuiltinGroups())}
		d.Configure(time.Now(), "org", "key-a", []quota.ModelGroup{pool("big", 5000, "m")})
		_, err := d.Admit(t.Context(), d.call(6000, time.Second), "key-a")
		if r := refusal(t, err, call.TooLarge); r.Limit != 5000 {
			t.Errorf("%+v", r)
		}
		if got := d.groups("org"); !slices.Equal(got, []string{"big"}) {
			t.Errorf("lanes %v: the key's organization was told", got)
		}
		for _, b := range d.Quota(time.Now()) {
			if b.Source != "api" || b.Group != "big" {
				t.Errorf("%+v", b)
			}
		}
	})
}

func TestALaneThatJoinsAToldOrganizationTakesItsGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{Room: admit.New(admit.Config{}, quota.BuiltinGroups())}
		d.Configure(time.Now(), "org", "", []quota.ModelGroup{pool("big", 5000, "m")})
		p, err := d.Admit(t.Context(), d.call(10, time.Second), "key-b")
		if err != nil {
			t.Fatal(err)
		}
		p.Observe(time.Now(), call.Limits{Organization: "org"})
		p.Release(time.Now())
		if got := d.groups("org"); !slices.Equal(got, []string{"big"}) || d.groups("key-b") != nil {
			t.Errorf("lanes %v of org, %v of the key", got, d.groups("key-b"))
		}
		_, err = d.Admit(t.Context(), d.call(6000, time.Second), "key-b")
		refusal(t, err, call.TooLarge)
	})
}

func TestCacheReadsCountWhereTheLimitSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, counts := range []bool{false, true} {
			d := &desk{Room: admit.New(admit.Config{}, quota.BuiltinGroups())}
			p := pool("small", 5000, "m")
			p.CountCached = counts
			d.Configure(time.Now(), "org", "key-a", []quota.ModelGroup{p})
			c := d.call(1000, time.Second)
			c.Estimate.Cached = 6000
			permit, err := d.Admit(t.Context(), c, "key-a")
			if counts {
				refusal(t, err, call.TooLarge)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			permit.Release(time.Now())
		}
	})
}

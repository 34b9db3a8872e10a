package ledger_test

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/budget"
	"github.com/weir-gateway/weir/internal/ledger"
	"github.com/weir-gateway/weir/internal/pgtest"
)

// leaseStores are those that keep the contract of [call.Leases]. Each opens
// twice on the same data, one after the other.
func leaseStores(t *testing.T) map[string]func(t *testing.T) func() call.Leases {
	t.Helper()
	return map[string]func(t *testing.T) func() call.Leases{
		"memory": func(*testing.T) func() call.Leases {
			m := budget.NewMemory()
			return func() call.Leases { return m }
		},
		"sqlite": func(t *testing.T) func() call.Leases {
			var last *ledger.Leases
			dir := filepath.Join(t.TempDir(), "budgets")
			t.Cleanup(func() { last.Close() })
			return func() call.Leases {
				if last != nil {
					last.Close()
				}
				l, err := ledger.OpenLeases(dir)
				if err != nil {
					t.Fatal(err)
				}
				last = l
				return l
			}
		},
		"postgres": func(t *testing.T) func() call.Leases {
			address := pgtest.Database(t)
			return func() call.Leases {
				l, err := ledger.OpenSharedLeases(call.NewSecret(address))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				return l
			}
		},
	}
}

// TestLeases is the contract: never more than the limit, not a cent lost, and
// everything there after another start.
func TestLeases(t *testing.T) {
	now := time.Now().UTC()
	purse := func(subject string, end time.Duration) call.Purse {
		return call.Purse{Budget: "b", Period: "day", Subject: subject, Start: now.Truncate(time.Hour), End: now.Add(end).Truncate(time.Hour)}
	}
	for name, make := range leaseStores(t) {
		t.Run(name, func(t *testing.T) {
			open := make(t)
			l, p := open(), purse("amber", 5*time.Hour)
			step := func(what string, granted, total, wantGranted, wantTotal call.USD, err error) {
				t.Helper()
				if err != nil || granted != wantGranted || total != wantTotal {
					t.Fatalf("%s: granted %d of %d, want %d of %d; %v", what, granted, total, wantGranted, wantTotal, err)
				}
			}
			g, total, err := l.Lease(t.Context(), p, 40, 100)
			step("first", g, total, 40, 40, err)
			g, total, err = l.Lease(t.Context(), p, 80, 100)
			step("the rest", g, total, 60, 100, err)
			g, total, err = l.Lease(t.Context(), p, 1, 100)
			step("nothing is left", g, total, 0, 100, err)
			total, err = l.Return(t.Context(), p, 30)
			step("back", 0, total, 0, 70, err)
			g, total, err = l.Lease(t.Context(), p, 5, 60)
			step("under a lower limit", g, total, 0, 70, err)
			g, total, err = l.Lease(t.Context(), p, 90, 1<<63-1)
			step("a debt", g, total, 90, 160, err)
			if _, _, err := l.Lease(t.Context(), purse("birch", -5*time.Hour), 7, 100); err != nil {
				t.Fatal(err)
			}
			got, err := open().Purses(t.Context(), now)
			if err != nil || len(got) != 1 || got[p] != 160 {
				t.Errorf("after another start: %v, %v", got, err)
			}
		})
	}
}

// TestLeasesAtOnce: many who lease at once get the limit between them, exactly.
func TestLeasesAtOnce(t *testing.T) {
	for name, make := range leaseStores(t) {
		t.Run(name, func(t *testing.T) {
			l := make(t)()
			p := call.Purse{Budget: "b", Period: "day", Start: time.Unix(0, 0), End: time.Unix(1<<33, 0)}
			var sum atomic.Int64
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for range 10 {
						granted, total, err := l.Lease(t.Context(), p, 7, 500)
						if err != nil || total > 500 {
							t.Errorf("total %d, %v", total, err)
						}
						sum.Add(int64(granted))
					}
				})
			}
			all.Wait()
			if sum.Load() != 500 {
				t.Errorf("%d were granted of 500", sum.Load())
			}
		})
	}
}

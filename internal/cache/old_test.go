package cache

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
)

// lenientCall is a call that an answer of any age does for.
func lenientCall(tenant, body string) *call.Call {
	c := newCall(tenant, body)
	c.Rungs = []call.Rung{{Kind: call.RungCached}}
	return c
}

// TestOldAnswersStayInBounds: what is too old is kept for the ladder alone, and
// makes room as everything else does.
func TestOldAnswersStayInBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, Config{MaxAge: time.Minute, MaxBytes: 20 << 10})
		r.KeepOld(true)
		u := &upstream{room: r, text: echo("hello")}
		for n := range 100 {
			u.must(t, newCall("a", body(n, false)))
			time.Sleep(time.Minute)
			r.memory.sweep(time.Now())
		}
		report := r.Report(time.Now())
		if report.Entries < 10 || report.Bytes > 20<<10 || report.Evictions == 0 {
			t.Errorf("%+v", report)
		}
		r.KeepOld(false)
		r.memory.sweep(time.Now())
		if n := r.Report(time.Now()).Entries; n != 0 {
			t.Errorf("%d are kept for nobody", n)
		}
	})
}

// TestOldAnswersOfStores: a store lets go of what is too old, whatever the
// ladder says. Until it does, what it holds is given by age as the memory's is,
// and the youngest is given.
func TestOldAnswersOfStores(t *testing.T) {
	r := newRoom(t, Config{MaxAge: time.Hour, Folder: t.TempDir(), Disk: true})
	r.KeepOld(true)
	write := func(n int, asked time.Time, text string) key {
		t.Helper()
		c := newCall("a", body(n, false))
		k, err := r.keyOf(c)
		if err != nil {
			t.Fatal(err)
		}
		e := &entry{Owner: r.ownerOf("a"), Asked: asked, Body: []byte(messageOf(text))}
		value, err := r.sealer.seal(k, e)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.stores[0].store.save(t.Context(), []sealed{{k, e.Owner, asked, value}}); err != nil {
			t.Fatal(err)
		}
		return k
	}
	now := time.Now()
	write(1, now.Add(-2*time.Hour), "on disk")
	k := write(2, now.Add(-2*time.Hour), "younger")
	r.memory.put(k, &entry{Owner: r.ownerOf("a"), Asked: now.Add(-3 * time.Hour), Body: []byte(messageOf("older"))})
	write(3, now.Add(-2*time.Hour), "purged")
	u := &upstream{room: r, text: echo("asked")}
	for _, c := range []struct {
		name, want string
		call       *call.Call
	}{
		{"too-old", messageOf("asked"), newCall("a", body(1, false))},
		{"another-tenant", messageOf("asked"), lenientCall("b", body(2, false))},
		{"youngest", messageOf("younger"), lenientCall("a", body(2, false))},
		{"from-memory", messageOf("younger"), lenientCall("a", body(2, false))},
	} {
		got := u.must(t, c.call)
		if marked := c.call.Degraded.Has(call.RungCached); got != c.want || marked != (c.want != messageOf("asked")) {
			t.Errorf("%s: marked: %t, %s", c.name, marked, got)
		}
	}
	if err := r.Purge("a"); err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		if c := lenientCall("a", body(n, false)); u.must(t, c) != messageOf("asked") || c.Degraded.Rung != "" {
			t.Errorf("%d came back after the purge", n)
		}
	}
}

// TestDiskForgetsByAge: the ladder keeps nothing on disk.
func TestDiskForgetsByAge(t *testing.T) {
	r := newRoom(t, Config{MaxAge: time.Hour, Folder: t.TempDir(), Disk: true})
	r.KeepOld(true)
	d := r.stores[0].store.(*disk)
	if err := d.save(t.Context(), []sealed{{asked: time.Now().Add(-2 * time.Hour), value: []byte("old")}, {key: key{1}, asked: time.Now(), value: []byte("young")}}); err != nil {
		t.Fatal(err)
	}
	if err := d.sweep(context.Background(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if d.bytes() != int64(len("young")) {
		t.Errorf("%d bytes are left", d.bytes())
	}
}

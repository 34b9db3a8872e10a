package weir

import (
	"fmt"
	"testing"

	"github.com/weir-gateway/weir/call"
)

func TestRecentForgetsTheOldest(t *testing.T) {
	r := newRecent(4)
	for i := range 7 {
		r.Event(call.Event{ID: fmt.Sprint(i), Attempts: i})
	}
	for i := range 7 {
		e, ok := r.find(fmt.Sprint(i))
		if ok != (i >= 3) || (ok && e.Attempts != i) {
			t.Errorf("call %d: %v, %+v", i, ok, e)
		}
	}
	list := r.list(3)
	if len(list) != 3 || list[0].ID != "6" || list[2].ID != "4" || len(r.byID) != 4 {
		t.Errorf("%+v, %d ids kept", list, len(r.byID))
	}
}

func TestRecentWithARepeatedID(t *testing.T) {
	r := newRecent(2)
	for i, id := range []string{"a", "a", "b", "c"} {
		r.Event(call.Event{ID: id, Attempts: i})
		if e, ok := r.find(id); !ok || e.Attempts != i {
			t.Errorf("%s: %v, %+v", id, ok, e)
		}
	}
	if _, ok := r.find("a"); ok || len(r.byID) != 2 {
		t.Errorf("%v", r.byID)
	}
}

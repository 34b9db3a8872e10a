package dash

import (
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
)

func (a *Admin) degradation(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.ladderReport())
}

// ladderReport has no null where readers expect a list.
func (a *Admin) ladderReport() call.LadderReport {
	r := call.LadderReport{At: time.Now()}
	if a.src.Degradation != nil {
		r = a.src.Degradation()
	}
	r.Rungs = append([]call.RungReport{}, r.Rungs...)
	for i := range r.Rungs {
		r.Rungs[i].InForce = append([]call.InForceReport{}, r.Rungs[i].InForce...)
	}
	return r
}

// firstPlaces shortens the lists of places in a report that is the caller's own:
// /api/v1/degradation has more.
func firstPlaces(r call.LadderReport) call.LadderReport {
	for i := range r.Rungs {
		in := &r.Rungs[i].InForce
		*in = (*in)[:min(feedPlaces, len(*in))]
	}
	return r
}

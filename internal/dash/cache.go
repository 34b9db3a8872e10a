package dash

import "net/http"

const noCache = "the gateway has no cache of answers: configure cache"

// cache answers with what the cache holds and has saved.
func (a *Admin) cache(w http.ResponseWriter, _ *http.Request) {
	if a.src.Cache == nil {
		fail(w, http.StatusNotFound, noCache)
		return
	}
	reply(w, http.StatusOK, a.src.Cache())
}

// purge makes the cache forget one tenant's answers, or everybody's: which of
// both must be said.
func (a *Admin) purge(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	tenant, everybody := q.Get("tenant"), q.Get("all") == "true"
	switch {
	case a.src.PurgeCache == nil:
		fail(w, http.StatusNotFound, noCache)
		return
	case (tenant != "") == everybody:
		fail(w, http.StatusBadRequest, "say whose answers to forget: tenant=NAME, or all=true")
		return
	}
	if err := a.src.PurgeCache(tenant); err != nil {
		fail(w, http.StatusServiceUnavailable, "not every store of the cache could be reached; what was reached has forgotten. Repeat it later: "+err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

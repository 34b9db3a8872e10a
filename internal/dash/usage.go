package dash

import "net/http"

// usage answers with sums of the ledger.
func (a *Admin) usage(w http.ResponseWriter, req *http.Request) {
	if a.src.Usage == nil {
		fail(w, http.StatusNotFound, "there is no ledger")
		return
	}
	q := req.URL.Query()
	report, err := a.src.Usage(req.Context(), UsageQuery{From: q.Get("from"), To: q.Get("to"), By: q.Get("by")})
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	reply(w, http.StatusOK, report)
}

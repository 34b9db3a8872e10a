package sim

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The bounds of the Message Batches API: Anthropic docs, batch processing.
const (
	maxBatchBody     = 256 << 20
	maxBatchRequests = 100_000
	batchExpiry      = 24 * time.Hour
	cancelTime       = time.Second // from the wish to the end
	batchTier        = "batch"     // service_tier
)

// serveBatches is everything at and below /v1/messages/batches. All of it draws
// on a pool of its own.
func (x *exchange) serveBatches() {
	if x.early(nil) {
		return
	}
	x.batches.charge(x.clock)
	org := x.who.organization
	if wait, ok := org.charge(x.clock.now(), org.batching); !ok {
		x.counters.limit(BatchesLimit)
		x.fail(tooMany(wait, grouped(org.batching.limit)+" batch requests per minute (org: "+org.id+")."))
		return
	}
	id, action, _ := strings.Cut(strings.TrimPrefix(x.r.URL.Path[len("/v1/messages/batches"):], "/"), "/")
	if id == "" {
		if x.r.Method == http.MethodPost {
			x.createBatch()
		} else {
			x.listBatches()
		}
		return
	}
	b := x.batches.find(x.who.workspace, id)
	if b == nil {
		x.fail(notFound("No batch with the id " + id + " was found."))
		return
	}
	switch x.r.Method + " " + action {
	case "GET ":
		x.replyBatch(b, "")
	case "GET results":
		x.batchResults(b)
	case "POST cancel":
		x.cancelBatch(b)
	case "DELETE ":
		x.deleteBatch(b)
	default:
		x.fail(notFound("Not found"))
	}
}

// tooMany is a 429 of a pool that has its own limit.
func tooMany(wait time.Duration, limit string) *apiError {
	e := standard(429)
	e.retryAfter = max(1, int((wait + time.Second - 1).Seconds()))
	e.message = "This request would exceed your organization's rate limit of " + limit +
		" For details, refer to: https://docs.claude.com/en/api/rate-limits."
	return e
}

// createBatch is POST /v1/messages/batches. The requests are answered at once
// and their answers shown when their time has come.
func (x *exchange) createBatch() {
	body, err := x.body(maxBatchBody)
	if err != nil {
		x.fail(err)
		return
	}
	items, err := x.batchItems(body)
	if err != nil {
		x.fail(err)
		return
	}
	now, org := x.clock.now(), x.who.organization
	b := &messageBatch{id: randomID("msgbatch_01", x.rng), owner: x.who, created: now, items: items}
	took := x.config.Timing.Batch
	for i := range items {
		items[i].done = now + time.Duration(float64(took)*float64(i+1)/float64(len(items)))
	}
	if queued, ok := x.batches.add(now, b, org.tier.QueuedBatchRequests); !ok {
		x.counters.limit(BatchesLimit)
		x.fail(tooMany(time.Minute, fmt.Sprintf("%d batch requests in the processing queue (%d are there).", org.tier.QueuedBatchRequests, queued)))
		return
	}
	if x.upset.find(FaultReset, FaultEOF) != nil { // after the event, or early would have seen to it
		x.cut()
		return
	}
	x.replyBatch(b, "")
}

// batchItems reads the list of requests. What is wrong with one's params is
// that one's own result.
func (x *exchange) batchItems(body []byte) ([]batchItem, *apiError) {
	doc, err := parseJSON(string(body))
	if err != nil {
		return nil, invalid("The request body is not valid JSON: " + err.Error())
	}
	list := doc.get("requests")
	switch {
	case list.kind != kindArray:
		return nil, invalid("requests: Field required")
	case len(list.list) == 0:
		return nil, invalid("requests: List should have at least 1 item after validation, not 0")
	case len(list.list) > maxBatchRequests:
		return nil, invalid(fmt.Sprintf("requests: List should have at most %d items after validation, not %d", maxBatchRequests, len(list.list)))
	}
	seen := make(map[string]bool, len(list.list))
	items := make([]batchItem, len(list.list))
	for i := range list.list {
		v := &list.list[i]
		id := v.get("custom_id").text()
		switch {
		case !validCustomID(id):
			return nil, invalid(fmt.Sprintf("requests.%d.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'", i))
		case seen[id]:
			return nil, invalid(fmt.Sprintf("requests.%d.custom_id: the custom_id %q is there twice", i, id))
		case v.get("params").kind != kindObject:
			return nil, invalid(fmt.Sprintf("requests.%d.params: Field required", i))
		}
		seen[id] = true
		items[i] = x.batchItem(id, v.get("params").raw)
	}
	return items, nil
}

func validCustomID(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// batchItem answers one request of a batch.
func (x *exchange) batchItem(id, params string) batchItem {
	q, err := x.readRequest([]byte(params), x.version, x.who.organization.rules, false)
	switch {
	case err != nil:
	case q.stream:
		err = invalid("stream: batches do not stream")
	case q.speed == "fast":
		err = invalid("speed: batches have no fast mode")
	case q.maxTokens == 0:
		err = invalid("max_tokens: Input should be greater than or equal to 1")
	case q.total > q.model.Context:
		err = invalid(fmt.Sprintf("prompt is too long: %d tokens > %d maximum", q.total, q.model.Context))
	}
	if err != nil {
		return batchItem{id: id, result: []byte(`{"type":"errored","error":` + string(err.body(x.id)) + `}`)}
	}
	cached := x.cache.plan(x.clock.now(), x.who.workspace.id, q)
	a := x.compose(q, cached)
	a.tier = batchTier
	due := x.lineOf(q)
	due.tier = batchTier
	x.cache.commit(x.clock.now(), cached)
	return batchItem{
		id: id, ok: true, input: int64(q.total), output: int64(a.output), due: due, tokens: tokensOf(q, cached, a.output),
		result: []byte(`{"type":"succeeded","message":` + string(a.json()) + `}`),
	}
}

// cancelBatch is POST …/cancel.
func (x *exchange) cancelBatch(b *messageBatch) {
	now := x.clock.now()
	if !x.batches.cancel(now, b) {
		e := standard(http.StatusConflict)
		e.message = "The batch has ended and cannot be canceled."
		x.fail(e)
		return
	}
	x.replyBatch(b, "canceling")
}

// deleteBatch is DELETE /v1/messages/batches/{id}.
func (x *exchange) deleteBatch(b *messageBatch) {
	if !x.batches.remove(x.clock.now(), b) {
		e := standard(http.StatusConflict)
		e.message = "The batch is still in progress: cancel it first."
		x.fail(e)
		return
	}
	x.reply(map[string]string{"id": b.id, "type": "message_batch_deleted"})
}

// batchResults is GET …/results, in no order.
func (x *exchange) batchResults(b *messageBatch) {
	now := x.clock.now()
	lines, ok := x.batches.results(now, b)
	if !ok {
		x.fail(notFound("The batch has no results yet."))
		return
	}
	rand.New(rand.NewPCG(x.config.Seed, uint64(now))).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	x.headers(true)["Content-Type"] = []string{"application/x-jsonl"}
	x.begin(http.StatusOK)
	breaks := x.upset.find(FaultEOF, FaultReset) != nil
	for i, line := range lines {
		if breaks && i == len(lines)/2 {
			_, _ = x.w.Write(line[:len(line)/2])
			_ = http.NewResponseController(x.w).Flush()
			x.cut()
			return
		}
		if _, err := x.w.Write(line); err != nil {
			return // the client left
		}
	}
}

// replyBatch shows a batch. A status that is given stands for the present one.
func (x *exchange) replyBatch(b *messageBatch, status string) {
	shown := x.showBatch(x.clock.now(), b)
	if status != "" {
		shown.Status = status
	}
	x.reply(shown)
}

// shownBatch is a batch as the API shows it.
type shownBatch struct {
	ID         string         `json:"id"`
	Type       string         `json:"type"`
	Status     string         `json:"processing_status"`
	Counts     map[string]int `json:"request_counts"`
	EndedAt    *time.Time     `json:"ended_at"`
	CreatedAt  time.Time      `json:"created_at"`
	ExpiresAt  time.Time      `json:"expires_at"`
	ArchivedAt *time.Time     `json:"archived_at"`
	CancelAt   *time.Time     `json:"cancel_initiated_at"`
	ResultsURL *string        `json:"results_url"`
}

func (x *exchange) showBatch(now instant, b *messageBatch) shownBatch {
	p := x.batches.look(now, b)
	at := func(t instant) *time.Time { return new(x.clock.date(t)) }
	s := shownBatch{
		ID: b.id, Type: "message_batch", Status: "in_progress", Counts: p.counts(),
		CreatedAt: *at(b.created), ExpiresAt: *at(b.created + batchExpiry),
	}
	if p.canceled {
		s.Status, s.CancelAt = "canceling", at(p.canceledAt)
	}
	if p.ended {
		s.Status, s.EndedAt = "ended", at(p.end)
		s.ResultsURL = new("http://" + x.r.Host + "/v1/messages/batches/" + b.id + "/results")
	}
	return s
}

// listBatches is GET /v1/messages/batches, the newest first.
func (x *exchange) listBatches() {
	all := x.batches.list(x.who.workspace)
	p, err := x.pageOf(len(all), func(id string) int {
		return slices.IndexFunc(all, func(b *messageBatch) bool { return b.id == id })
	})
	if err != nil {
		x.fail(err)
		return
	}
	page := struct {
		Data    []shownBatch `json:"data"`
		HasMore bool         `json:"has_more"`
		FirstID *string      `json:"first_id"`
		LastID  *string      `json:"last_id"`
	}{Data: []shownBatch{}, HasMore: p.more}
	for _, b := range all[p.from:p.to] {
		page.Data = append(page.Data, x.showBatch(x.clock.now(), b))
	}
	if n := len(page.Data); n > 0 {
		page.FirstID, page.LastID = &page.Data[0].ID, &page.Data[n-1].ID
	}
	x.reply(page)
}

package dash

import (
	"fmt"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
)

// storyView is one finished call as /api/v1/requests/{id} shows it: why it
// waited, and what became of each attempt.
type storyView struct {
	requestView
	BoundBy string        `json:"bound_by"` // what the longest wait waited for; empty: nothing
	Story   []attemptView `json:"story"`
}

type attemptView struct {
	At      time.Time `json:"at"` // when it was sent
	Waited  float64   `json:"waited_s"`
	BoundBy string    `json:"bound_by"`
	Ahead   int       `json:"ahead"`  // calls that waited when it came
	Behind  string    `json:"behind"` // tenant of the first of them
	Key     string    `json:"key"`
	Status  int       `json:"status"`
	Kind    string    `json:"kind"`
	Took    float64   `json:"took_s"`
}

// waitingView is a call that still waits, with its place and time.
type waitingView struct {
	Outcome string `json:"outcome"`
	call.WaiterReport
}

// request serves one call's story.
func (a *Admin) request(w http.ResponseWriter, id string) {
	if told := a.tell(id); told != nil {
		reply(w, http.StatusOK, told)
		return
	}
	fail(w, http.StatusNotFound, fmt.Sprintf("no waiting or finished request has the id %.80q: ids are those of the "+
		"header weir-request-id, and only the latest finished ones are kept", id))
}

// tell is what there is to say of a call that has ended or waits, else nil.
func (a *Admin) tell(id string) any {
	if a.src.Request != nil {
		if e, ok := a.src.Request(id); ok {
			return story(e)
		}
	}
	if a.src.Waiting != nil {
		if waiting, ok := a.src.Waiting(id); ok {
			return waitingView{Outcome: "waiting", WaiterReport: waiting}
		}
	}
	return nil
}

func story(e call.Event) storyView {
	v := storyView{requestView: view(e), Story: make([]attemptView, 0, len(e.Story))}
	longest := time.Duration(0)
	for _, at := range e.Story {
		if at.Wait.Took > longest {
			longest, v.BoundBy = at.Wait.Took, at.Wait.BoundBy
		}
		v.Story = append(v.Story, attemptView{
			At: at.At, Waited: at.Wait.Took.Seconds(), BoundBy: at.Wait.BoundBy,
			Ahead: at.Wait.Ahead, Behind: at.Wait.Behind, Key: at.Key,
			Status: at.Status, Kind: at.Kind, Took: at.Took.Seconds(),
		})
	}
	return v
}

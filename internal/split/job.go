package split

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// job is one request that is answered in parts.
type job struct {
	room    *Room
	cfg     *Config
	call    *call.Call
	ask     asker
	request *request
	whole   call.Tokens // input of the request

	cut  []text      // those of its texts that are cut, in their order
	size call.Tokens // of a part's text
	most call.Tokens // that a part's text may have, by what is known now

	spent []answered // answers of parts that were cut anew, which have cost something

	mu    sync.Mutex      // guards rungs
	rungs []call.RungKind // what was done to parts
}

func (j *job) tooLong(bucket call.Tokens) bool {
	return j.whole > j.window() || bucket > 0 && j.whole > bucket || j.cfg.Above > 0 && j.whole > j.cfg.Above
}

// window is what there is room for beside the answer.
func (j *job) window() call.Tokens { return j.room.house.Window(j.call.Model) - j.call.MaxTokens }

// A part is smaller than what there is room for. The window may be exceeded by
// no token, and estimates are off by a fifth before anything is learned; a
// bucket that is asked for all it has waits until it is full, which it never
// quite is while others draw on it.
const (
	shareOfWindow = 0.75
	shareOfBucket = 0.30
	mostOfWindow  = 0.90 // of a text that was cut before
	mostOfBucket  = 0.80 // the same, and where all parts have much in common
	smallestPart  = 200
)

// choose picks the texts to be cut, and the size of their parts: the longest
// text, and as many more as it takes until what all parts have in common is no
// more than half of them.
func (j *job) choose(bucket call.Tokens) obstacle {
	most := call.Tokens(float64(j.window()) * shareOfWindow)
	room := most
	if bucket > 0 {
		room = min(room, call.Tokens(float64(bucket)*shareOfBucket))
		most = min(most, call.Tokens(float64(bucket)*mostOfBucket))
	}
	if j.cfg.Above > 0 {
		room = min(room, j.cfg.Above)
	}
	rest := j.whole
	j.cut = nil
	for _, t := range j.request.texts {
		if len(j.cut) > 0 && rest <= room/2 {
			break
		}
		j.cut = append(j.cut, t)
		rest = max(0, rest-j.cost(t.long()))
	}
	slices.SortFunc(j.cut, func(a, b text) int { return cmp.Compare(a.from, b.from) })
	if rest > room/2 {
		room = min(2*rest, most)
	}
	if j.size = room - rest; j.size < smallestPart {
		return tooMuchElse
	}
	if j.most = call.Tokens(float64(j.window())*mostOfWindow) - rest; bucket > 0 {
		j.most = min(j.most, call.Tokens(float64(bucket)*mostOfBucket)-rest)
	}
	if j.cfg.Part > 0 {
		j.size = min(j.size, j.cfg.Part)
	}
	return nothing
}

// answer asks about all parts and merges what comes.
func (j *job) answer(ctx context.Context) (*http.Response, error) {
	how := cmp.Or(j.call.Split.Merge, j.cfg.Merge)
	if how == call.MergeConcat && j.request.format {
		return nil, &call.Refusal{Reason: call.Malformed, Detail: noConcat(j.call.Lang)}
	}
	units, err := j.units()
	if err != nil {
		return nil, err
	}
	j.call.Parts = len(units)
	j.call.Progress.Split(len(units))
	began := time.Now()
	defer j.degrade()
	answers, failed, err := j.askAll(ctx, units)
	m := merged{how: how, answers: slices.Concat(answers...), spent: j.spent}
	if failed == nil && err == nil && how == call.MergeReduce {
		failed, err = j.reduce(ctx, &m)
	}
	if failed != nil || err != nil {
		j.spent = m.all()
		return failed, err
	}
	m.tell(j.call, time.Since(began))
	return j.respond(&m)
}

package dash

import (
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/words"
)

// warningView is a warning with its words, so that the page, the terminal and
// the Streamlit panel say the same.
type warningView struct {
	call.Warning
	Text texts `json:"text"`
}

// texts are the words of both languages.
type texts struct {
	EN textView `json:"en"`
	ZH textView `json:"zh"`
}

type textView struct {
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// book is read once: it is a constant that takes work.
var book = sync.OnceValue(words.New)

func (a *Admin) warnings(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"at": time.Now(), "warnings": a.warningViews(math.MaxInt)})
}

// warningViews returns at most n warnings, the most urgent first. It is never
// nil.
func (a *Admin) warningViews(n int) []warningView {
	out := []warningView{}
	if a.src.Warnings == nil {
		return out
	}
	list := a.src.Warnings()
	for _, w := range list[:min(len(list), n)] {
		out = append(out, warningView{w, texts{wording("en", w), wording("zh", w)}})
	}
	return out
}

func wording(lang string, w call.Warning) textView {
	t := book().Warning(lang, w)
	return textView(t)
}

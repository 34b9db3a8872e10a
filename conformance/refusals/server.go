package refusals

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
)

// Clients are those of the document, in its order.
var Clients = []string{"go-v1", "go-v2", "typescript", "python", "python-async", "claude-code"}

// Result is what one client did when it met a case. Of several calls, in
// several languages, it is the worst.
type Result struct {
	Requests int     `json:"requests"`
	Seconds  float64 `json:"seconds"` // until its call returned
}

// Results are those of all clients, by case and client.
type Results map[string]map[string]Result

// Server opens houses on loopback for clients in any language:
//
//	GET  /cases                                    → [Case…]
//	POST /open   {"case":…,"client":…}             → {"id":…,"url":…}
//	POST /close  {"id":…,"seconds":…}              → Met
//	POST /report {"case":…,"client":…,"requests":…,"seconds":…}
//	GET  /table.md                                 → the document
//
// Every open is a house of its own, so that no client disturbs another.
// /report is for clients that have opened their houses themselves. It is safe
// for concurrent use.
type Server struct {
	cases map[string]Case

	mu      sync.Mutex // guards what follows
	next    int
	open    map[string]*visited
	results Results
}

// visited is a house and who is in it.
type visited struct {
	*House
	client string
}

// NewServer returns a server without any house.
func NewServer() *Server {
	s := &Server{cases: map[string]Case{}, open: map[string]*visited{}, results: Results{}}
	for _, c := range Cases() {
		s.cases[c.Name] = c
	}
	return s
}

// Handler serves the paths of [Server].
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cases", func(w http.ResponseWriter, _ *http.Request) { answer(w, Cases(), nil) })
	mux.HandleFunc("POST /open", s.serveOpen)
	mux.HandleFunc("POST /close", s.serveClose)
	mux.HandleFunc("POST /report", s.serveReport)
	mux.HandleFunc("GET /table.md", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprint(w, Table(s.results))
	})
	return mux
}

// Close closes the houses that are still open.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, h := range s.open {
		errs = append(errs, h.Close())
	}
	clear(s.open)
	return errors.Join(errs...)
}

// answer writes v, or what went wrong.
func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may have left
}

func (s *Server) serveOpen(w http.ResponseWriter, r *http.Request) {
	var ask struct{ Case, Client string }
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		answer(w, nil, err)
		return
	}
	c, ok := s.cases[ask.Case]
	if !ok {
		answer(w, nil, fmt.Errorf("there is no case %q", ask.Case))
		return
	}
	h, err := Open(Loopback, c)
	if err != nil {
		answer(w, nil, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	id := strconv.Itoa(s.next)
	s.open[id] = &visited{h, ask.Client}
	answer(w, map[string]string{"id": id, "url": h.URL}, nil)
}

func (s *Server) serveClose(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		ID      string
		Seconds float64
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		answer(w, nil, err)
		return
	}
	s.mu.Lock()
	h := s.open[ask.ID]
	delete(s.open, ask.ID)
	s.mu.Unlock()
	if h == nil {
		answer(w, nil, fmt.Errorf("there is no house %q", ask.ID))
		return
	}
	met, err := h.Met(), h.Close()
	s.note(h.Case.Name, h.client, Result{met.Requests, ask.Seconds})
	answer(w, met, err)
}

func (s *Server) serveReport(w http.ResponseWriter, r *http.Request) {
	var told struct {
		Case, Client string
		Result
	}
	err := json.NewDecoder(r.Body).Decode(&told)
	if err == nil {
		s.note(told.Case, told.Client, told.Result)
	}
	answer(w, struct{}{}, err)
}

func (s *Server) note(name, client string, r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.results[name] == nil {
		s.results[name] = map[string]Result{}
	}
	worst := s.results[name][client]
	s.results[name][client] = Result{max(worst.Requests, r.Requests), max(worst.Seconds, r.Seconds)}
}

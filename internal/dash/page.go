package dash

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var assets embed.FS

// page holds the static files with their tags. Static after loadPage.
type page struct{ files map[string]file }

type file struct {
	body string
	tag  string
	kind string
}

func loadPage() *page {
	p := &page{files: map[string]file{}}
	err := fs.WalkDir(assets, "assets", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		body, err := assets.ReadFile(name)
		sum := sha256.Sum256(body)
		p.files[strings.TrimPrefix(name, "assets/")] = file{
			body: string(body),
			tag:  `"` + hex.EncodeToString(sum[:8]) + `"`,
			kind: kindOf(name),
		}
		return err
	})
	if err != nil {
		panic(err) // embedded when built
	}
	return p
}

// kindOf does not ask the system's table for the types that the page needs: a
// module with a wrong type does not run.
func kindOf(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".json":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".css", ".html":
		return "text/" + ext[1:] + "; charset=utf-8"
	default:
		return "text/plain; charset=utf-8"
	}
}

func (p *page) has(name string) bool {
	_, ok := p.files[name]
	return ok
}

func (p *page) openAPI(w http.ResponseWriter, req *http.Request) { p.serve(w, req, "openapi.json") }

func (p *page) asset(w http.ResponseWriter, req *http.Request) {
	p.serve(w, req, strings.TrimPrefix(req.URL.Path, "/assets/"))
}

// serve writes one file, or that the browser's copy is still good.
func (p *page) serve(w http.ResponseWriter, req *http.Request, name string) {
	f := p.files[name]
	h := w.Header()
	h.Set("Cache-Control", "no-cache") // keep, but ask: the tag changes with the build
	h.Set("ETag", f.tag)
	if req.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.kind)
	w.Write([]byte(f.body))
}

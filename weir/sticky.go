package weir

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/keys"
)

// sticky sends everything about a batch with the key that made it: a batch
// belongs to the workspace of its key. Batches that it does not know, because
// they were made elsewhere, are looked for with each key of the pool in turn.
// It is of use in pool mode only.
type sticky struct {
	keys   *keys.Room
	owners owners
	log    *slog.Logger
}

// owners remember which key, by its fingerprint, made which batch.
type owners interface {
	Owner(ctx context.Context, batch string) string
	Own(ctx context.Context, key string, batches ...string) error
}

const batchesPath = "/v1/messages/batches"

// batchOf takes the path of a call apart. The id is "" for the list and for a
// new batch.
func batchOf(c *call.Call) (id, action string) {
	path, _, _ := strings.Cut(c.Path, "?")
	rest, _ := strings.CutPrefix(path, batchesPath)
	id, action, _ = strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	return id, action
}

// Keys lists the keys to ask: the batch's own one, or for a look at one that is
// not known each of them. New batches, the list, and what would change an
// unknown batch are the first key's.
func (s *sticky) Keys(ctx context.Context, c *call.Call) []string {
	id, action := batchOf(c)
	if action != "results" {
		c.Header["Accept-Encoding"] = []string{"identity"} // Note reads it
	}
	if id == "" {
		return []string{""}
	}
	owner := s.owners.Owner(ctx, id)
	var all []string
	for _, key := range s.keys.Pool() {
		if key.Print == owner {
			return []string{owner}
		}
		all = append(all, key.Print)
	}
	if c.Method != http.MethodGet || len(all) == 0 {
		return []string{""}
	}
	return all
}

// maxBatchAnswer is how much of an answer is read: a list of a thousand has
// about half a megabyte.
const maxBatchAnswer = 8 << 20

// Note remembers whose the batches of an answer are, and makes the address of
// their results lead through the gateway: SDKs go where it leads, with the
// token that is of use here alone.
func (s *sticky) Note(req *http.Request, c *call.Call, key call.Key, resp *http.Response) {
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if _, action := batchOf(c); resp.StatusCode != http.StatusOK || media != "application/json" || action == "results" || resp.Header.Get("Content-Encoding") != "" {
		return
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBatchAnswer))
	if err != nil || len(raw) == maxBatchAnswer {
		resp.Body = unread{io.MultiReader(bytes.NewReader(raw), resp.Body), resp.Body}
		return
	}
	resp.Body.Close()
	var shown struct {
		ID   string
		Type string
		Data []struct{ ID string }
	}
	if json.Unmarshal(raw, &shown) == nil && shown.Type != "message_batch_deleted" {
		var ids []string
		if shown.ID != "" {
			ids = append(ids, shown.ID)
		}
		for _, one := range shown.Data {
			ids = append(ids, one.ID)
		}
		if err := s.owners.Own(req.Context(), key.Print, ids...); err != nil {
			s.log.Warn("it cannot be remembered which key made a batch", "cause", err)
		}
	}
	raw = throughHere(raw, req)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
}

// unread is a body of which the beginning was read.
type unread struct {
	io.Reader
	io.Closer
}

var resultsURL = []byte(`"results_url"`)

// throughHere replaces scheme and host of every results_url by those that the
// caller has used. Everything else stays as it is.
func throughHere(raw []byte, req *http.Request) []byte {
	var out []byte
	for {
		at := bytes.Index(raw, resultsURL)
		if at < 0 {
			return append(out, raw...)
		}
		at += len(resultsURL)
		at += len(raw[at:]) - len(bytes.TrimLeft(raw[at:], " \t\r\n:"))
		out, raw = append(out, raw[:at]...), raw[at:]
		if len(raw) == 0 || raw[0] != '"' {
			continue // null
		}
		end := bytes.IndexByte(raw[1:], '"')
		if end < 0 {
			continue
		}
		text := string(raw[1 : end+1])
		if u, err := url.Parse(text); err == nil && u.Host != "" && strings.Contains(u.Path, batchesPath+"/") {
			u.Path = u.Path[strings.Index(u.Path, batchesPath):]
			u.Scheme, u.Host = hereOf(req)
			text = u.String()
		}
		out = append(append(append(out, '"'), text...), '"')
		raw = raw[end+2:]
	}
}

// hereOf is where the caller believes the gateway to be.
func hereOf(req *http.Request) (scheme, host string) {
	if req.URL.Host != "" { // of the side door
		return req.URL.Scheme, req.URL.Host
	}
	if req.TLS != nil || req.Header.Get("X-Forwarded-Proto") == "https" {
		return "https", req.Host
	}
	return "http", req.Host
}

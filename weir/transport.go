package weir

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Transport is the side door: an [http.RoundTripper] that holds each request
// to the API until the quota has room for it. A refusal is returned as a
// response in the API's own error form, so that an SDK makes its typed error
// of it. The request's host does not matter: calls go to the gateway's
// upstream.
func (g *Gateway) Transport() http.RoundTripper { return roundTripper{g} }

type roundTripper struct{ g *Gateway }

// RoundTrip implements [http.RoundTripper].
func (t roundTripper) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	resp, c, err := t.g.do(req, func(*call.Call) {})
	return t.g.response(req, resp, c, err)
}

// response is what a caller in this process gets.
func (g *Gateway) response(req *http.Request, resp *http.Response, c *call.Call, err error) (*http.Response, error) {
	if err != nil {
		r := asRefusal(err)
		if r.Reason == call.ClientGone {
			return nil, r
		}
		out := refuse(time.Now(), c, r)
		g.corridor.Account.End(c, out.status, "refused", r.Reason.String())
		resp = &http.Response{
			StatusCode: out.status, Header: out.header, ContentLength: int64(len(out.body)),
			Body:  io.NopCloser(bytes.NewReader(out.body)),
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		}
	}
	resp.Status = http.StatusText(resp.StatusCode)
	resp.Request = req
	g.addOwn(resp.Header, c)
	return resp, nil
}

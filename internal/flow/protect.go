package flow

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// protected lets c go on if the protection lets it in. It counts as inside
// until its answer has been read or closed.
func (f *Corridor) protected(c *call.Call, now time.Time, goOn func() (*http.Response, error)) (*http.Response, error) {
	if f.Protect == nil {
		return goOn()
	}
	leave, no := f.Protect.Enter(now, c)
	if no != nil {
		return nil, no
	}
	resp, err := goOn()
	if err != nil {
		leave()
		return nil, err
	}
	resp.Body = &inside{ReadCloser: resp.Body, leave: leave}
	return resp, nil
}

// inside is the body of an answer whose call is still inside.
type inside struct {
	io.ReadCloser
	once  sync.Once
	leave func()
}

// Close implements [io.Closer].
func (b *inside) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.leave)
	return err
}

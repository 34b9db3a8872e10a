package flow

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// throttled is a wait in front of the rooms that is worth telling.
const throttled = 10 * time.Millisecond

// protected lets c go on if the protection lets it in. It counts as inside
// until its answer has been read or closed.
func (f *Corridor) protected(ctx context.Context, c *call.Call, goOn func() (*http.Response, error)) (*http.Response, error) {
	if f.Protect == nil {
		return goOn()
	}
	began := time.Now()
	leave, no := f.Protect.Enter(ctx, c)
	if took := time.Since(began); took >= throttled {
		c.Tell(call.Attempt{At: began.Add(took), Wait: call.Wait{Took: took, BoundBy: "protection"}, Kind: "throttled"})
	}
	if no != nil {
		return nil, no
	}
	answered := false
	defer func() { // a panic leaves too
		if !answered {
			leave()
		}
	}()
	resp, err := goOn()
	if err != nil {
		return nil, err
	}
	answered = true
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

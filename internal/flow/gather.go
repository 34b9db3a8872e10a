package flow

import "github.com/weir-gateway/weir/call"

// gather makes one piece of the stream that c's caller did not ask for. Until
// it is whole, a failure is mended like any other before the first byte.
func (f *Corridor) gather(c *call.Call, at attempt) attempt {
	if c.Gather && at.answer.Stream {
		at.answer.Limits = f.Limits(at.answer.Header)
		at.answer = f.Account.Gather(c, at.permit, at.answer)
	}
	return at
}

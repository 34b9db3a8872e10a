package split_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/split"
)

// TestTexts splits every kind of block that has text: without what is said
// around them, the parts are the text.
func TestTexts(t *testing.T) {
	long := prose(9_000)
	chunk := func(s string) string {
		return fmt.Sprintf(`{"type":"document","source":{"type":"content","content":[{"type":"text","text":"A title."},{"type":"text","text":%q}]}}`, s)
	}
	for name, block := range map[string]string{"text": text(long), "document": document(long), "chunks": chunk(long)} {
		t.Run(name, func(t *testing.T) {
			d := &desk{window: 1_000}
			c := wish(about(`"stream":true,`, text("Summarise."), block), call.MergeConcat)
			d.answer(t, split.Config{Parallel: 1}, c, well)
			got := strings.TrimPrefix(strings.Join(d.pieces(t, 1), ""), "A title.")
			if got != long || c.Parts < 3 || len(d.asked) != c.Parts {
				t.Errorf("%d parts, %d asked; the parts have %d of %d bytes", c.Parts, len(d.asked), len(got), len(long))
			}
			for _, c := range d.asked {
				if strings.Contains(string(c.Body), `"stream":true`) {
					t.Error("a part is asked for as a stream")
				}
			}
		})
	}
}

// TestSeveralTexts cuts as many texts as it takes. Each part shows a piece of
// one of them: the parts are as many as those of each, not their product.
func TestSeveralTexts(t *testing.T) {
	a, b := prose(9_000), prose(7_000)
	d := &desk{window: 1_000}
	c := wish(about("", text("Compare."), document(a), document(b), text("Shortly.")), call.MergeConcat)
	d.answer(t, split.Config{Parallel: 1}, c, well)
	first, second := d.pieces(t, 1), d.pieces(t, 2)
	if strings.Join(first, "") != a || strings.Join(second, "") != b || c.Parts != len(first)+len(second) || c.Parts > 10 {
		t.Errorf("%d parts, %d of the first text and %d of the other", c.Parts, len(first), len(second))
	}
	// With room for both beside each other, the shorter one stays whole.
	d = &desk{window: 10_000}
	c = wish(about("", document(prose(60_000)), document(b)), call.MergeConcat)
	d.answer(t, split.Config{Parallel: 1}, c, well)
	if len(d.pieces(t, 1)) != 0 || c.Parts < 2 {
		t.Errorf("%d parts, of the shorter text %d", c.Parts, len(d.pieces(t, 1)))
	}
}

func TestEndsAreRepeated(t *testing.T) {
	d := &desk{window: 1_000}
	d.answer(t, split.Config{}, wish(about("", text("Summarise this.\n\n"+prose(6_000)+"\n\nIn French, please.")), call.MergeConcat), well)
	for _, c := range d.asked {
		if !strings.Contains(string(c.Body), `"Summarise this.\n\n(`) || !strings.Contains(string(c.Body), `\n\nIn French, please."`) {
			t.Errorf("asked %.100s … %s", c.Body, c.Body[len(c.Body)-100:])
		}
	}
}

// TestObstacles asks for what cannot be split: it is told so.
func TestObstacles(t *testing.T) {
	long, pdf := text(prose(9_000)), `{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"`+strings.Repeat("JVBE", 3_000)+`"}}`
	tooLong := `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2300 tokens > 1000 maximum"},"request_id":"req_1"}`
	for name, tc := range map[string]struct {
		body []byte
		want string
	}{
		"tools":      {about(`"tools":[{"name":"x"}],`, long), "with tools"},
		"servers":    {about(`"mcp_servers":[{"name":"x"}],`, long), "with tools"},
		"container":  {about(`"container":"c1",`, long), "with tools"},
		"tool-use":   {about("", long, `{"type":"tool_result","tool_use_id":"t","content":"x"}`), "with tools"},
		"pdf-alone":  {about("", pdf), "pdftotext"},
		"pdf-beside": {about("", pdf, text(prose(800))), "leaves no room"},
		"system":     {about(`"system":"`+prose(9_000)+`",`, text("Hello.")), "system prompts"},
	} {
		t.Run(name, func(t *testing.T) {
			d, c := &desk{window: 1_000}, wish(tc.body, call.MergeReduce)
			resp, err := d.room(split.Config{}).Answer(t.Context(), c, d.ask(t, func(int, question) (int, string) { return 400, tooLong }))
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := io.ReadAll(resp.Body)
			if said := string(raw); !strings.Contains(said, "2300 tokens") || !strings.Contains(said, tc.want) || c.Parts != 0 || len(d.asked) != 1 || !json.Valid(raw) {
				t.Errorf("%s after %d requests", raw, len(d.asked))
			}
			_, err = d.room(split.Config{}).Answer(t.Context(), c, func(context.Context, *call.Call) (*http.Response, error) {
				return nil, &call.Refusal{Reason: call.TooLarge, Need: 2300, Limit: 1000}
			})
			if no, ok := err.(*call.Refusal); !ok || !strings.Contains(no.Detail, tc.want) {
				t.Errorf("refused with %v", err)
			}
		})
	}
}

// TestTooLongAfterAll lets the upstream find longer what was estimated to fit:
// the request is split, and a part is cut again.
func TestTooLongAfterAll(t *testing.T) {
	long := prose(3_600)
	d := &desk{window: 1_100}
	limit := func(n int, q question) (int, string) {
		if said := q.Messages[0].Content[0].Text; len(said) > 1_500 {
			return 413, `{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}`
		}
		return well(n, q)
	}
	c := wish(about("", text(long)), call.MergeConcat)
	m := d.answer(t, split.Config{Parallel: 1}, c, limit)
	var whole strings.Builder
	for _, a := range d.pieces(t, 0) {
		if len(a) < 1_500 {
			whole.WriteString(a)
		}
	}
	done, total := c.Progress.State()
	if whole.String() != long || done != total || done < 3 || len(m.Content) != 1 {
		t.Errorf("%d/%d; %d of %d bytes", done, total, len(whole.String()), len(long))
	}
	// What stays too long however short it is ends with the upstream's words.
	resp, err := d.room(split.Config{Parallel: 1}).Answer(t.Context(), wish(about("", text(long)), call.MergeConcat), d.ask(t, func(int, question) (int, string) {
		return 413, `{}`
	}))
	if err != nil || resp.StatusCode != 413 || len(d.asked) > 20 {
		t.Errorf("%v, %v after %d requests", resp, err, len(d.asked))
	}
}

// TestPartFails passes on the answer of the part that failed, and cancels the
// others.
func TestPartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := &desk{window: 1_000}, wish(about("", text(prose(9_000))), call.MergeReduce)
		resp, err := d.room(split.Config{Parallel: 2}).Answer(t.Context(), c, d.ask(t, func(n int, _ question) (int, string) {
			if n == 2 {
				return 404, "not found"
			}
			return 0, ""
		}))
		if err != nil || resp.StatusCode != 404 || len(d.asked) != 2 {
			t.Fatalf("%v, %v after %d requests", resp, err, len(d.asked))
		}
		want := []string{"part_0 499 client_gone client_gone", "whole 404 upstream_error part_failed"}
		if got := slices.Sorted(slices.Values(d.booked)); len(got) != 2 || !strings.HasSuffix(got[0], "499 client_gone client_gone") || got[1] != want[1] {
			t.Errorf("booked %q", got)
		}
	})
}

// TestCutAnew learns between two parts that the bucket is smaller than a part:
// the usage has the answer that came before.
func TestCutAnew(t *testing.T) {
	d, c := &desk{window: 3_000}, wish(about("", text(prose(27_000))), call.MergeConcat)
	answers := d.ask(t, well)
	resp, err := d.room(split.Config{Parallel: 1}).Answer(t.Context(), c, func(ctx context.Context, p *call.Call) (*http.Response, error) {
		if len(p.Body) > 8_000 && len(d.asked) == 1 {
			return nil, &call.Refusal{Reason: call.TooLarge, Need: 2_300, Limit: 1_800}
		}
		return answers(ctx, p)
	})
	if err != nil {
		t.Fatal(err)
	}
	var m merged
	raw, _ := io.ReadAll(resp.Body)
	if err := json.Unmarshal(raw, &m); err != nil || m.Usage["input_tokens"] != float64(10*len(d.asked)) || len(d.asked) != c.Parts+1 || c.Attempts != len(d.asked) {
		t.Errorf("%d parts of %d requests: %s, %v", c.Parts, len(d.asked), raw, err)
	}
}

func TestCancelEndsAllParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, c := &desk{window: 1_000}, wish(about("", text(prose(9_000))), call.MergeReduce)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { synctest.Wait(); cancel() }()
		_, err := d.room(split.Config{Parallel: 3}).Answer(ctx, c, d.ask(t, func(int, question) (int, string) { return 0, "" }))
		if no, ok := err.(*call.Refusal); !ok || no.Reason != call.ClientGone || len(d.asked) != 3 || len(d.booked) != 3 {
			t.Errorf("%v after %d requests, booked %q", err, len(d.asked), d.booked)
		}
	})
}

// TestClassAndReload sends parts in class batch from the moment when that is
// configured.
func TestClassAndReload(t *testing.T) {
	d := &desk{window: 1_000}
	room := d.room(split.Config{})
	for _, want := range []call.Class{call.Interactive, call.Batch} {
		d.asked = nil
		c := wish(about("", text(prose(6_000))), call.MergeConcat)
		c.Class = call.Interactive
		if _, err := room.Answer(t.Context(), c, d.ask(t, well)); err != nil {
			t.Fatal(err)
		}
		if c.Class != call.Interactive || slices.ContainsFunc(d.asked, func(p *call.Call) bool { return p.Class != want }) {
			t.Errorf("a part is not of class %s", want)
		}
		room.Configure(split.Config{Batch: true})
	}
}

// TestSameParts cuts a text as it did before, though estimates have changed.
func TestSameParts(t *testing.T) {
	d := &desk{window: 2_000, perToken: 4}
	room, long := d.room(split.Config{Parallel: 1}), prose(30_000)
	parts := func() []string {
		d.asked = nil
		if _, err := room.Answer(t.Context(), wish(about("", text("Go."), text(long)), call.MergeConcat), d.ask(t, well)); err != nil {
			t.Fatal(err)
		}
		return d.pieces(t, 1)
	}
	first := parts()
	if d.perToken, d.bucket = 5, 3_000; !slices.Equal(first, parts()) {
		t.Error("the parts have changed with the estimate, or with a bucket that has room for them")
	}
	if d.perToken = 2; slices.Equal(first, parts()) { // they would not fit any more
		t.Error("the parts are the old ones")
	}
}

func TestTooManyParts(t *testing.T) {
	d := &desk{window: 1_000}
	_, err := d.room(split.Config{MaxParts: 2}).Answer(t.Context(), wish(about("", text(prose(9_000))), call.MergeConcat), d.ask(t, well))
	if no, ok := err.(*call.Refusal); !ok || no.Reason != call.BodyTooLarge || !strings.Contains(no.Detail, "allows 2") || len(d.asked) > 0 {
		t.Errorf("%v", err)
	}
}

// TestMarks takes those marks for the prompt cache out that no other request
// could use.
func TestMarks(t *testing.T) {
	mark := func(s string) string {
		return fmt.Sprintf(`{"type":"text","cache_control":{"type":"ephemeral"},"text":%q}`, s)
	}
	d := &desk{window: 1_000}
	body := about(`"cache_control":{"type":"ephemeral"},"system":[{"type":"text","text":"Be short.","cache_control":{"type":"ephemeral"}}],`,
		mark("Summarise."), mark(prose(6_000)), mark("Shortly."))
	d.answer(t, split.Config{}, wish(body, call.MergeConcat), func(n int, q question) (int, string) {
		b := q.Messages[0].Content
		if q.CacheControl != nil || b[0].CacheControl == nil || b[1].CacheControl != nil || b[2].CacheControl != nil {
			t.Errorf("asked %+v", q)
		}
		return well(n, q)
	})
	if !strings.Contains(string(d.asked[0].Body), `"text":"Be short.","cache_control":{"type":"ephemeral"}`) {
		t.Error("the mark of the system prompt is lost")
	}
}

// FuzzRequests splits whatever is JSON: each part is a request that differs from
// the whole in its texts, stream and marks alone.
func FuzzRequests(f *testing.F) {
	long := prose(500)
	for _, body := range []string{
		string(about(`"stream":true,"cache_control":{"type":"ephemeral"},`, text(long), document(long))), `{"messages":[{"role":"user","content":"` + long + `"}]}`,
		`{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"content","content":"` + long + `"}}]}],"tools":[]}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"a\n\n` + long + `\n\nb","text":"x"}]}]}`, `{"messages":[{"content":null}]}`, `[]`, ``,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !json.Valid(body) {
			return
		}
		d, c := &desk{window: 600, perToken: 1}, wish(body, call.MergeList)
		resp, err := d.room(split.Config{}).Answer(t.Context(), c, func(_ context.Context, p *call.Call) (*http.Response, error) {
			if !json.Valid(p.Body) {
				t.Errorf("asked %q", p.Body)
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(message("end_turn", usage, says("x"))))}, nil
		})
		if err != nil {
			return // no room, or too many parts
		}
		if raw, err := io.ReadAll(resp.Body); err != nil || !json.Valid(raw) {
			t.Errorf("answered %q, %v", raw, err)
		}
	})
}

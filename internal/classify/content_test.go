package classify_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
)

// text makes a measure of one message with the given script counts.
func text(pairs ...int) call.Measure {
	m := call.Measure{Messages: 1}
	for i := 0; i < len(pairs); i += 2 {
		m.Text[pairs[i]] = int32(pairs[i+1])
	}
	return m
}

func TestContent(t *testing.T) {
	const L, S, D, M, N, A, F, W, E = int(call.Letters), int(call.Spaces), int(call.Digits), int(call.Marks), int(call.Lines), int(call.Accented), int(call.Foreign), int(call.Wide), int(call.Symbols)
	with := func(m call.Measure, f func(*call.Measure)) call.Measure { f(&m); return m }
	for name, tc := range map[string]struct {
		messages string
		want     call.Measure
	}{
		"string":   {`{"role":"user","content":"hello 12!"}`, text(L, 5, S, 1, D, 2, M, 1)},
		"blocks":   {`{"role":"user","content":[{"type":"text","text":"hello"}]}`, text(L, 5)},
		"chinese":  {`{"role":"user","content":"你好 x"}`, text(W, 2, S, 1, L, 1)},
		"escaped":  {`{"role":"user","content":"\u4f60\u597d\n\ud83d\ude00\u0041\t\"\\"}`, text(W, 2, N, 1, E, 1, L, 1, S, 1, M, 2)},
		"cyrillic": {`{"role":"user","content":"да é – ☃"}`, text(F, 2, A, 1, S, 3, E, 2)},
		"document": {`{"role":"user","content":[{"type":"document","source":{"type":"text","data":"abcd","media_type":"text/plain"}}]}`, text(L, 4)},
		"made":     {`{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"abcd"}]}}]}`, text(L, 4)},
		"cached":   {`{"role":"user","content":[{"type":"text","text":"ab","cache_control":{"type":"ephemeral","ttl":"1h"}}]}`, text(L, 2)},
		"tool":     {`{"role":"assistant","content":[{"type":"tool_use","id":"x","name":"get","input":{"city":"Oslo"}}]}`, with(text(L, 11, M, 7), func(m *call.Measure) { m.Blocks = 1 })},
		"result":   {`{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":[{"type":"text","text":"rain"}]}]}`, with(text(L, 4), func(m *call.Measure) { m.Blocks = 1 })},
		"image":    {`{"role":"user","content":[{"source":{"type":"url","url":"https://x/y.png"},"type":"image"}]}`, with(text(), func(m *call.Measure) { m.Images, m.Pixels = 1, [2]int32{1369, 1369} })},
		"pdf-file": {`{"role":"user","content":[{"source":{"type":"file","file_id":"file_1"},"type":"document"}]}`, with(text(), func(m *call.Measure) { m.Pages = 3 })},
		"broken":   {`{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}`, with(text(), func(m *call.Measure) { m.Images, m.Pixels = 1, [2]int32{1369, 1369} })},
		"empty":    {`{}`, text()},
	} {
		t.Run(name, func(t *testing.T) {
			c := classified(t, request("POST", "/v1/messages", `{"model":"m","messages":[`+tc.messages+`]}`))
			if diff := cmp.Diff(tc.want, c.Content.Measure); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if name != "cached" && c.Content.Prefixes != nil {
				t.Errorf("prefixes without a mark: %+v", c.Content.Prefixes)
			}
		})
	}
}

func TestTools(t *testing.T) {
	c := classified(t, request("POST", "/v1/messages", `{"model":"m","tools":[{"name":"a"},{"name":"b"}],"tool_choice":{"type":"any"},"system":"be brief","stream":true,"max_tokens":7,"thinking":{},"messages":[]}`))
	m := c.Content
	if m.Tools != 2 || m.Text[call.Letters] != 10+7 || m.Text[call.Marks] != 14 || !m.Forced || !c.Stream || c.MaxTokens != 7 || !m.Thinking {
		t.Errorf("got %+v, stream %v, max_tokens %d", m, c.Stream, c.MaxTokens)
	}
}

func TestLongTextIsSampled(t *testing.T) {
	part := strings.Repeat("Hello, 世界! é 12\\n", 1000)
	long := strings.Repeat(part, 97)
	exact := classified(t, request("POST", "/v1/messages", `{"model":"m","messages":[{"content":"`+part+`"}]}`)).Content.Text
	whole := classified(t, request("POST", "/v1/messages", `{"model":"m","messages":[{"content":"`+long+`"}]}`)).Content.Text
	scale := 97.0
	for s := range exact {
		want, got := float64(exact[s])*scale, float64(whole[s])
		if want > 0 && (got < 0.96*want || got > 1.04*want) {
			t.Errorf("script %d: %v characters by samples, want about %v", s, got, want)
		}
	}
}

// pictures are images of one size in each format that the API takes: tiny ones
// whose headers say another size, since nobody looks at more.
func pictures(t *testing.T, w, h int) map[string][]byte {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	var p, j, g bytes.Buffer
	for _, err := range []error{png.Encode(&p, img), jpeg.Encode(&j, img, nil), gif.Encode(&g, img, nil)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	binary.BigEndian.PutUint32(p.Bytes()[16:], uint32(w))
	binary.BigEndian.PutUint32(p.Bytes()[20:], uint32(h))
	binary.LittleEndian.PutUint16(g.Bytes()[6:], uint16(w))
	binary.LittleEndian.PutUint16(g.Bytes()[8:], uint16(h))
	frame := bytes.Index(j.Bytes(), []byte{0xFF, 0xC0}) // start of frame
	binary.BigEndian.PutUint16(j.Bytes()[frame+5:], uint16(h))
	binary.BigEndian.PutUint16(j.Bytes()[frame+7:], uint16(w))
	exif := append([]byte{0xFF, 0xD8, 0xFF, 0xE1, 0xEA, 0x62}, bytes.Repeat([]byte{0xFF, 0xC0}, 30_000)...)
	vp8 := make([]byte, 40)
	copy(vp8, "RIFF\x20\x00\x00\x00WEBPVP8 ")
	binary.LittleEndian.PutUint16(vp8[26:], uint16(w))
	binary.LittleEndian.PutUint16(vp8[28:], uint16(h))
	lossless, extended := bytes.Clone(vp8), bytes.Clone(vp8)
	copy(lossless[12:], "VP8L")
	binary.LittleEndian.PutUint32(lossless[21:], uint32(w-1)|uint32(h-1)<<14)
	copy(extended[12:], "VP8X")
	copy(extended[24:], []byte{byte(w - 1), byte((w - 1) >> 8), 0, byte(h - 1), byte((h - 1) >> 8), 0})
	return map[string][]byte{
		"png": p.Bytes(), "jpeg": j.Bytes(), "gif": g.Bytes(), "exif": append(exif, j.Bytes()[2:]...),
		"webp-lossy": vp8, "webp-lossless": lossless, "webp-extended": extended,
	}
}

func TestImagesCountByPixels(t *testing.T) {
	for _, tc := range []struct {
		w, h int
		want [2]int32
	}{
		{28, 28, [2]int32{1, 1}},
		{29, 28, [2]int32{2, 2}},
		{1000, 1000, [2]int32{1296, 1296}},
		{3136, 1568, [2]int32{56 * 28, 92 * 46}}, // halved by the older rule
		{4000, 4000, [2]int32{1568, 4784}},       // both capped
	} {
		for kind, data := range pictures(t, tc.w, tc.h) {
			body := fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":[{"type":"image","source":{"data":"%s","type":"base64","media_type":"image/x"}}]}]}`,
				strings.ReplaceAll(base64.StdEncoding.EncodeToString(data), "/", `\/`))
			c := classified(t, request("POST", "/v1/messages", body))
			if c.Content.Images != 1 || c.Content.Pixels != tc.want {
				t.Errorf("%s of %d × %d: %v tokens, want %v", kind, tc.w, tc.h, c.Content.Pixels, tc.want)
			}
		}
	}
}

func TestPDFsCountByPages(t *testing.T) {
	page := "4 0 obj << /Type /Page /Parent 2 0 R /Contents 5 0 R >> endobj\n" + strings.Repeat("x", 2000)
	tree := "%PDF-1.4\n2 0 obj << /Type /Pages /Count 7 >> endobj\n"
	for name, tc := range map[string]struct {
		data string
		want int32
	}{
		"seven":      {tree + strings.Repeat(page, 7), 7},
		"compressed": {tree + strings.Repeat("y", 300_000), 5},
		"tiny":       {"%PDF", 1},
		"huge":       {strings.Repeat(page, 4000), 4000},
		"at-the-end": {tree + "<</Type/Page", 1},
	} {
		body := `{"model":"m","messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"` +
			base64.StdEncoding.EncodeToString([]byte(tc.data)) + `"}}]}]}`
		c := classified(t, request("POST", "/v1/messages", body))
		if got := c.Content.Pages; got < tc.want*99/100 || got > tc.want*101/100 {
			t.Errorf("%s: %d pages, want %d", name, got, tc.want)
		}
	}
}

// turn is one request of a conversation whose mark moves with its end.
func turn(room *classify.Room, t *testing.T, texts ...string) []call.Prefix {
	t.Helper()
	var blocks []string
	for i, s := range texts {
		mark := ""
		if i == len(texts)-1 {
			mark = `,"cache_control":{"type":"ephemeral"}`
		}
		blocks = append(blocks, `{"role":"user","content":[{"type":"text","text":"`+s+`"`+mark+`}]}`)
	}
	body := `{"messages":[` + strings.Join(blocks, ",") + `],"system":[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral","ttl":"1h"}}],` +
		`"tools":[{"name":"a","cache_control":{"type":"ephemeral"},"description":"b"}],"model":"m"}`
	c, err := room.Classify(request("POST", "/v1/messages", body), now)
	if err != nil {
		t.Fatal(err)
	}
	return c.Content.Prefixes
}

func TestPrefixes(t *testing.T) {
	room := classify.New(classify.Config{})
	first := turn(room, t, "one", "two")
	second := turn(room, t, "one", "two", "three")
	if len(first) != 4 || len(second) != 5 {
		t.Fatalf("%d and %d prefixes, want tools, system and each message", len(first), len(second))
	}
	ttls := []time.Duration{first[0].TTL, first[1].TTL, first[2].TTL, first[3].TTL}
	if diff := cmp.Diff([]time.Duration{5 * time.Minute, time.Hour, 0, 5 * time.Minute}, ttls); diff != "" {
		t.Errorf("lifetimes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(first, second[:4], cmpopts.IgnoreFields(call.Prefix{}, "TTL")); diff != "" {
		t.Errorf("a moved mark changed the prefixes before it (-first +second):\n%s", diff)
	}
	if other := turn(room, t, "one", "too"); other[2].Hash != first[2].Hash || other[3].Hash == first[3].Hash {
		t.Error("another text must change the hash of what ends with it, and no other")
	}
	if got := first[3].Text[call.Letters]; got != first[2].Text[call.Letters]+3 || first[3].Messages != 2 || first[0].Tools != 1 {
		t.Errorf("measures do not add up: %+v", first)
	}
}

func TestPrefixesAreWithinReachOfAMark(t *testing.T) {
	texts := make([]string, 60)
	for i := range texts {
		texts[i] = fmt.Sprint("text", i)
	}
	if got := turn(classify.New(classify.Config{}), t, texts...); len(got) != 2+21 {
		t.Errorf("%d prefixes, want the tools', the system's and 21 at the end", len(got))
	}
	body := `{"model":"m","cache_control":{"type":"ephemeral"},"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}`
	got := classified(t, request("POST", "/v1/messages", body)).Content.Prefixes
	if len(got) != 2 || got[0].TTL != 0 || got[1].TTL != 5*time.Minute {
		t.Errorf("automatic caching marks the last block: %+v", got)
	}
}

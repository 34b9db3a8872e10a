package textsplit_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/textsplit"
)

func runes(piece string) call.Tokens { return call.Tokens(utf8.RuneCountInString(piece)) }

func bodies(text string, parts []textsplit.Part) (out []string) {
	for _, p := range parts {
		out = append(out, text[p.Seam:p.To])
	}
	return out
}

func TestPlaces(t *testing.T) {
	for name, tc := range map[string]struct {
		max  call.Tokens
		want []string
	}{
		"headings":   {40, []string{"# One\n\nFirst words. And more.\n\n", "# Two\n\nSecond words."}},
		"paragraphs": {40, []string{"One line of text here.\nAnd more.\n\n", "Another block of the text. Words."}},
		"sentences":  {40, []string{"Dr. Smith went home at 3.5 p.m. today. ", "He slept well and long."}},
		"chinese":    {12, []string{"今天天气很好。", "我们去公园散步吧。", "你说呢?好。"}},
		"japanese":   {14, []string{"吾輩は猫である。", "名前はまだ無い。「そうか。」", "と言った。"}},
		"korean":     {20, []string{"안녕하세요. 반갑습니다. ", "오늘은 날씨가 좋습니다."}},
		"words":      {12, []string{"one two ", "three four ", "five six"}},
		"graphemes":  {7, []string{"👨‍👩‍👧", "👨‍👩‍👧"}},
		"fence":      {34, []string{"Some words before it.\n", "```go\na := 1\n\n\nb := 2\n```\n", "After it.\n"}},
		"code":       {50, []string{"func a() {\n\tone()\n\n\ttwo()\n}\n\n", "func b() {\n\tthree()\n\n\tfour()\n}\n"}},
		"wrapped":    {60, []string{"This is text of a page, with\nlines that end anywhere. ", "Then\nanother one begins in the\nmiddle."}},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Join(tc.want, "")
			if diff := cmp.Diff(tc.want, bodies(text, textsplit.Split(text, textsplit.Bounds{Part: tc.max}, runes))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestOverlapIsWholeSentences(t *testing.T) {
	text := strings.Repeat("One short sentence. Another that is somewhat longer. ", 20)
	parts := textsplit.Split(text, textsplit.Bounds{Part: 200, Overlap: 60}, runes)
	if len(parts) < 6 {
		t.Fatalf("%d parts", len(parts))
	}
	for _, p := range parts[1:] {
		over := text[p.From:p.Seam]
		if over == "" || !strings.HasSuffix(over, ". ") || !slices.Contains([]byte("OA"), over[0]) || len(over) > 60 {
			t.Errorf("overlap %q", over)
		}
	}
}

// check holds a splitting to what is promised of any.
func check(t *testing.T, text string, b textsplit.Bounds, cost textsplit.Cost) {
	t.Helper()
	parts := textsplit.Split(text, b, cost)
	whole, at := map[int]bool{0: true}, 0
	sound := func(s string) string { // with one control character for each byte that is no UTF-8
		return strings.Map(func(r rune) rune {
			if r == utf8.RuneError {
				return 0
			}
			return r
		}, strings.ReplaceAll(s, "\ufffd", "\ufffe"))
	}
	for g := graphemes.FromString(sound(text)); g.Next(); {
		whole[g.End()] = true
	}
	starts := map[int]bool{len(text): true}
	for i := range text {
		starts[i] = true
	}
	for i, p := range parts {
		before := 0
		if i > 0 {
			before = parts[i-1].Seam
		}
		piece := text[p.From:p.To]
		switch {
		case p.Seam != at || p.To <= p.Seam:
			t.Fatalf("part %d is %+v, want it to begin at %d", i, p, at)
		case p.From < before || p.From > p.Seam || i == 0 && p.From != 0:
			t.Fatalf("part %d is %+v: its overlap begins before the part before", i, p)
		case cost(text[p.From:p.Seam]) > max(b.Overlap, 0) && p.From < p.Seam:
			t.Fatalf("part %d repeats %q", i, text[p.From:p.Seam])
		case !whole[p.From] || !whole[p.To]:
			t.Fatalf("part %d cuts a grapheme: %q", i, piece)
		case !starts[p.From] || !starts[p.To]:
			t.Fatalf("part %d cuts a rune: %q", i, piece)
		case cost(piece) > max(b.Part, 1) && len(graphemes.FromString(sound(piece)).First()) != len(piece):
			t.Fatalf("part %d costs %d, more than %d: %q", i, cost(piece), b.Part, piece)
		}
		at = p.To
	}
	if at != len(text) || strings.Join(bodies(text, parts), "") != text {
		t.Fatalf("the parts end at %d of %d", at, len(text))
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"", "a", "# A\n\nb. c\n```\nx\n```\n", "---\na\n---\n|x|\n|y|\nb\n==\n- c\n", "<p>a</p><pre>\n\n</pre><p b='>c</p><", "no-\nt\n\n 12\n\fp", "क्षत्रक\u200dष\r\n\u0600\u0661", "\xff\xfe\xe2\x80", "‼\u200d😀 🇩🇪🇫🇷🇪", "e\u0301\u0301\r\n\r\n", "각ᄀ각"} {
		f.Add(s, int64(3), int64(1))
		f.Add(strings.Repeat(s, 9), int64(20), int64(9))
	}
	f.Fuzz(func(t *testing.T, text string, part, over int64) {
		b := textsplit.Bounds{Part: call.Tokens(part), Overlap: call.Tokens(over)}
		check(t, text, b, runes)
		check(t, text, b, func(s string) call.Tokens { return call.Tokens(len(s) / 3) })
	})
}

// languages are sentences to make texts of.
var languages = map[string][]string{
	"English":  {"The river rose in the night. ", "\"Who is there?\" she asked. ", "Mr. Hall paid $3.50 for it. "},
	"Chinese":  {"夜里河水涨了。", "“谁在那里?”她问道。", "他走了三里路,然后停下来!"},
	"Japanese": {"夜のうちに川が増水した。", "「誰ですか?」と彼女は聞いた。", "カメラを買いました。"},
	"Korean":   {"밤사이 강물이 불었다. ", "\"거기 누구세요?\" 그녀가 물었다. ", "그는 집으로 돌아갔다. "},
	"German":   {"Der Fluß stieg über Nacht. ", "„Wer ist da?“, fragte sie. ", "Das kostet ca. 3,50 €. "},
	"French":   {"La rivière est montée cette nuit. ", "« Qui est là ? » demanda-t-elle. "},
	"Spanish":  {"El río subió por la noche. ", "¿Quién está ahí? ", "¡Qué sorpresa, señor! "},
	"Russian":  {"Ночью река поднялась. ", "«Кто там?» — спросила она. "},
	"Arabic":   {"ارتفع النهر في الليل. ", "من هناك؟ ", "قَالَتْ: لَا أَعْرِفُ. "},
	"Hindi":    {"रात में नदी चढ़ गई। ", "वहाँ कौन है? ", "उसने कहा कि मैं नहीं जानता। "},
	"Thai":     {"แม่น้ำขึ้นสูงในตอนกลางคืน ", "ใครอยู่ที่นั่น ", "เธอถามว่าทำไม "},
	"Hebrew":   {"הנהר עלה בלילה. ", "מי שם? ", "שָׁלוֹם לְכֻלָּם! "},
}

var furniture = []string{"\n\n", "\n", "\r\n", "\n\n# Title\n\n", "\n- item\n", "\n```go\nx := 1\n\ny()\n```\n", "<p>x</p>", "👩🏽‍🚀", "🇯🇵🇰🇷", "\t", "\xff", "   "}

func write(r *rand.Rand, sentences []string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(sentences[r.IntN(len(sentences))])
		if r.IntN(4) == 0 {
			b.WriteString(furniture[r.IntN(len(furniture))])
		}
	}
	return b.String()
}

// TestTexts splits ten thousand texts in twelve languages.
func TestTexts(t *testing.T) {
	names := make([]string, 0, len(languages))
	for name := range languages {
		names = append(names, name)
	}
	slices.Sort(names)
	r := rand.New(rand.NewPCG(7, 12))
	for i := range 10_000 {
		name := names[i%len(names)]
		text := write(r, languages[name], 1+r.IntN(40))
		part := call.Tokens(1 + r.IntN(400))
		check(t, text, textsplit.Bounds{Part: part, Overlap: call.Tokens(r.IntN(int(part)))}, runes)
	}
}

// TestHostile holds the time to the length of texts that are made to be slow.
func TestHostile(t *testing.T) {
	const n = 100_000
	for name, text := range map[string]string{
		"spaces": "." + strings.Repeat(" ", n), "dots": strings.Repeat(".", n), "marks": "e" + strings.Repeat("\u0301", n),
		"lines": strings.Repeat("\n", n), "fences": strings.Repeat("```\n", n/4), "open": "```\n" + strings.Repeat("x\n", n/2),
		"flags": strings.Repeat("🇩", n/4), "dotted": strings.Repeat(". ", n/2), "torn": strings.Repeat("\x80", n),
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			check(t, text, textsplit.Bounds{Part: 300, Overlap: 50}, runes)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestLinear counts the bytes that are weighed of long texts, which
// are most of the work: each a few times.
func TestLinear(t *testing.T) {
	const n = 2 << 20
	for name, text := range map[string]string{
		"one-word": strings.Repeat("x", 5*n), "one-line": strings.Repeat("夜里河水涨了", n/18), "fence": "```\n" + strings.Repeat("x\n", n/2) + "```\n",
		"table": strings.Repeat("| a | b |\n", n/10), "tags": strings.Repeat("<p", n/2), "pre": strings.Repeat("<pre>\n", n/6),
	} {
		t.Run(name, func(t *testing.T) {
			weighed := 0
			parts := textsplit.Split(text, textsplit.Bounds{Part: 1000, Overlap: 50}, func(s string) call.Tokens {
				weighed += len(s)
				return call.Tokens(len(s)+3) / 4
			})
			if times := weighed / len(text); times > 8 || len(parts) < len(text)/4500 {
				t.Errorf("%d parts; every byte was weighed %d times", len(parts), times)
			}
		})
	}
}

func BenchmarkBook(b *testing.B) {
	texts := map[string]string{"line": strings.Repeat("x", 10<<20)}
	for _, name := range []string{"English", "Chinese"} {
		texts[name] = write(rand.New(rand.NewPCG(1, 1)), languages[name], 400_000)
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		text := texts[name]
		cost := func(s string) call.Tokens { return call.Tokens(len(s)+3) / 4 }
		b.Run(fmt.Sprintf("%s-%dM", name, cost(text)/1e6), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				textsplit.Split(text, textsplit.Bounds{Part: 150_000, Overlap: 200}, cost)
			}
		})
	}
}

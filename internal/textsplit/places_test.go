package textsplit_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/textsplit"
)

var update = flag.Bool("update", false, "write the golden files anew")

// cut marks a place in a golden file.
const cut = "✂"

// TestKinds splits texts of every kind. A golden file says in its first line how
// many characters a part may have, and where the text is cut.
func TestKinds(t *testing.T) {
	files, err := filepath.Glob("testdata/places/*")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			first, want, _ := strings.Cut(string(raw), "\n")
			var part call.Tokens
			if _, err := fmt.Sscanf(first, "part: %d", &part); err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(want, cut, "")
			b := textsplit.Bounds{Part: part}
			check(t, text, b, runes)
			got := strings.Join(bodies(text, textsplit.Split(text, b, runes)), cut)
			if *update {
				if err := os.WriteFile(file, []byte(first+"\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestGraphemes holds the splitter to what is one character to a reader, as
// Unicode lists it (GraphemeBreakTest.txt), and not to the library that it asks.
func TestGraphemes(t *testing.T) {
	for name, list := range map[string][]string{
		"family":   {"👨‍👩‍👧‍👦", "👩🏽‍🚀", "❤️‍🔥", "x"},
		"flags":    {"🇩🇪", "🇯🇵", "🇰🇷"},
		"keycaps":  {"1️⃣", "#️⃣"},
		"hangul":   {"\u1112\u1161\u11ab", "\u1100\u1173\u11af", "각", "\uac00\u11a8"},
		"indic":    {"क्ष", "त्र", "ज्ञा", "क्\u200dष"},
		"accents":  {"e\u0301\u0323", "o\u0308"},
		"endings":  {"\r\n", "\r\n", "\n", "\r"},
		"thai":     {"ที่", "น้ำ"},
		"prepends": {"\u0600\u0661", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Join(list, "")
			if diff := cmp.Diff(list, bodies(text, textsplit.Split(text, textsplit.Bounds{Part: 1}, runes))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

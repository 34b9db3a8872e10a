package docs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
)

// TestEveryErrorHasAnEntry holds the pages of troubleshooting to the code: each
// error_code, each message in its language, and each text by which the API's
// failures are told apart.
func TestEveryErrorHasAnEntry(t *testing.T) {
	for lang, name := range map[string]string{"en": "troubleshooting.md", "zh": "troubleshooting.zh-CN.md"} {
		data, err := os.ReadFile(filepath.Join(root, "docs", "guides", name))
		if err != nil {
			t.Fatal(err)
		}
		page := string(data)
		for _, code := range codes(t) {
			if !strings.Contains(page, "`"+code+"`") {
				t.Errorf("%s has no line for the error_code %s", name, code)
			}
		}
		for id, text := range messages(t, lang) {
			if !strings.Contains(page, text) {
				t.Errorf("%s does not have the words of the message %s: %q", name, id, text)
			}
		}
		for _, text := range apiTexts(t) {
			if !strings.Contains(strings.ToLower(page), text) {
				t.Errorf("%s does not have the API's text %q of internal/fault/rules.json", name, text)
			}
		}
	}
}

var errorCode = regexp.MustCompile(`error_code\\*"\s*:\s*\\*"([a-z_]+)`)

// codes are those of Weir, those that the judge of the API's failures knows,
// those of its golden files, and those that clients were seen to get.
func codes(t *testing.T) []string {
	var all []string
	for r := call.Malformed; r <= call.InternalFailure; r++ {
		all = append(all, r.String())
	}
	for code := range faultRules(t).Codes {
		all = append(all, code)
	}
	golden, err := filepath.Glob(filepath.Join(root, "internal", "fault", "testdata", "*.json"))
	if err != nil || len(golden) == 0 {
		t.Fatal("no golden files of failures", err)
	}
	for _, name := range golden {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range errorCode.FindAllSubmatch(data, -1) {
			all = append(all, string(m[1]))
		}
	}
	met, err := os.ReadFile(filepath.Join(root, "docs", "refusals.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(met)) {
		if cells := strings.Split(line, "|"); len(cells) == 10 && regexp.MustCompile(`^ [a-z]+_[a-z_]+ $`).MatchString(cells[5]) {
			all = append(all, strings.TrimSpace(cells[5]))
		}
	}
	return all
}

// rulesFile is what is read here of internal/fault/rules.json.
type rulesFile struct {
	Rules    []struct{ Prefix, Contains string }
	Limiters []struct{ Contains string }
	Codes    map[string]string
}

func faultRules(t *testing.T) rulesFile {
	var f rulesFile
	decode(t, filepath.Join(root, "internal", "fault", "rules.json"), &f)
	return f
}

func apiTexts(t *testing.T) []string {
	f := faultRules(t)
	var all []string
	for _, r := range f.Rules {
		all = append(all, r.Prefix, r.Contains)
	}
	for _, l := range f.Limiters {
		all = append(all, l.Contains)
	}
	return all
}

// parts of messages are no messages.
var partsOfMessages = map[string]bool{
	"part": true, "limiter": true, "span": true,
	"warning_part": true, "warning_cause": true, "warning_level": true,
}

var blank = regexp.MustCompile(`\{\{.*?\}\}`)

// messages are the sentences of package words, … standing for their blanks.
func messages(t *testing.T, lang string) map[string]string {
	var file map[string]map[string]any
	decode(t, filepath.Join(root, "internal", "words", lang+".json"), &file)
	all := map[string]string{}
	for id, group := range file {
		if partsOfMessages[id] {
			continue
		}
		for key, text := range group {
			if text, ok := text.(string); ok && key != "hint" {
				all[id+"."+key] = blank.ReplaceAllString(text, "…")
			}
		}
	}
	return all
}

func decode(t *testing.T, name string, to any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, to); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

package top

import (
	"embed"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
)

//go:embed en.json zh.json
var files embed.FS

// words are the terms of one language.
type words map[string]string

// Languages are those that the terminal view speaks.
var languages = []string{"en", "zh"}

// wordsOf reads a language; another one than those that there are is English.
// The files are part of the binary: it panics if one is broken, which a test
// rules out.
func wordsOf(lang string) words {
	if lang != "zh" {
		lang = "en"
	}
	raw, err := files.ReadFile(lang + ".json")
	w := words{}
	if err == nil {
		err = json.Unmarshal(raw, &w)
	}
	if err != nil {
		panic("top: " + lang + ".json: " + err.Error())
	}
	return w
}

// t is the text for key with {blanks} filled in, by pairs of name and value.
func (w words) t(key string, blanks ...string) string {
	text, ok := w[key]
	if !ok {
		_, text, _ = strings.Cut(key, ".")
	}
	for i := 0; i+1 < len(blanks); i += 2 {
		text = strings.ReplaceAll(text, "{"+blanks[i]+"}", blanks[i+1])
	}
	return text
}

// Language is the one that the environment asks for: "zh" or "en".
func Language(getenv func(string) string) string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(name); v != "" {
			if strings.HasPrefix(strings.ToLower(v), "zh") {
				return "zh"
			}
			return "en"
		}
	}
	return "en"
}

// short writes a number so that it fits a gauge: 950, 60k, 1.25M.
func short(n int64) string {
	abs := math.Abs(float64(n))
	switch {
	case abs < 1000:
		return strconv.FormatInt(n, 10)
	case abs < 9950:
		return trim(fmt.Sprintf("%.1f", float64(n)/1e3)) + "k"
	case abs < 999_500:
		return fmt.Sprintf("%.0fk", float64(n)/1e3)
	}
	return trim(fmt.Sprintf("%.2f", float64(n)/1e6)) + "M"
}

func trim(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }

const none = "–"

// span writes seconds as people say them.
func span(s float64) string {
	switch {
	case math.IsNaN(s) || math.IsInf(s, 0):
		return none
	case s < 0.0005:
		return "0 s"
	case s < 1:
		return fmt.Sprintf("%.0f ms", s*1000)
	case s < 59.95:
		return fmt.Sprintf("%.1f s", s)
	}
	whole := int(math.Round(s))
	if whole < 3600 {
		return fmt.Sprintf("%d min %d s", whole/60, whole%60)
	}
	return fmt.Sprintf("%d h %d min", whole/3600, whole%3600/60)
}

func spanOf(s *float64) string {
	if s == nil {
		return none
	}
	return span(*s)
}

// clock is the time of day where the reader is.
func clock(t time.Time) string {
	if t.IsZero() {
		return none
	}
	return t.Local().Format("15:04:05")
}

// date is the time with its day.
func date(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// plain removes what could move the cursor or hide text: names come from
// callers and from the upstream.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
}

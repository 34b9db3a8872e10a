package call

// Script is a class of characters that tokenizers treat alike.
type Script uint8

// The scripts that are told apart.
const (
	Letters  Script = iota // a-z, A-Z
	Spaces                 // and tabs
	Digits                 // 0-9
	Marks                  // ASCII punctuation
	Lines                  // ends of lines
	Accented               // Latin letters outside ASCII
	Foreign                // Cyrillic, Greek, Arabic, Devanagari and the like
	Wide                   // CJK, Kana, Hangul
	Symbols                // emoji, arrows, typographic marks
	NumScripts
)

// Measure counts what a part of a request contains. Binary payloads (images,
// documents) are counted by their own rules, never by the length of their
// base64 text.
type Measure struct {
	Text     [NumScripts]int32 // characters
	Messages int32
	Tools    int32    // definitions; their text is in Text
	Blocks   int32    // calls of tools and their results
	Images   int32    // how many
	Pixels   [2]int32 // tokens of all images: by the rule of older models, and of newer ones
	Pages    int32    // of PDF documents
}

// Add adds what o counts.
func (m *Measure) Add(o *Measure) { m.sum(o, 1) }

// Less returns what m counts and o, a part of it, does not.
func (m *Measure) Less(o *Measure) Measure {
	out := *m
	out.sum(o, -1)
	return out
}

func (m *Measure) sum(o *Measure, sign int32) {
	for i := range m.Text {
		m.Text[i] += sign * o.Text[i]
	}
	m.Messages += sign * o.Messages
	m.Tools += sign * o.Tools
	m.Blocks += sign * o.Blocks
	m.Images += sign * o.Images
	m.Pixels[0] += sign * o.Pixels[0]
	m.Pixels[1] += sign * o.Pixels[1]
	m.Pages += sign * o.Pages
}

// Content measures a request body without keeping it: what the estimator
// needs to know about it.
type Content struct {
	Measure
	Forced   bool // tool_choice demands a tool
	Thinking bool
	Prefixes []Prefix // where an entry of the prompt cache may end; nil without cache_control

	// Ends lists all blocks of a request without cache_control, and Read is the
	// body in which their places are; nil unless somebody wants to put marks in.
	Ends []End
	Read []byte
}

// Estimate is what a call is expected to cost before it is sent.
type Estimate struct {
	Input      Tokens  // uncached input, what the input limiter will be charged
	Cached     Tokens  // input expected to be read from the prompt cache
	Output     Tokens  // expected output, never max_tokens
	OutputHigh Tokens  // nine of ten answers are not longer
	Spread     float64 // relative standard error of Input, 0.25 = ±25 %
}

// Package question is what weir ask knows of a question: how files become content,
// how the streamed answer is read, and what it cost.
package question

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

// Block is one block of a question's content.
type Block struct {
	Type   string  `json:"type"` // text, image or document
	Text   string  `json:"text,omitempty"`
	Source *Source `json:"source,omitempty"` // of an image or a document
}

// Source is what is in an image or a document. JSON writes Data in base64.
type Source struct {
	Type  string `json:"type"` // base64
	Media string `json:"media_type"`
	Data  []byte `json:"data"`
}

// The bounds of a file. A request may have 32 MB, and base64 makes four bytes of
// three; an image may have 5 MB so written.
const (
	MaxText  = 30 << 20
	maxPDF   = 20 << 20
	maxImage = 5 << 20 / 4 * 3
)

// Unfit is why a file cannot be part of a question, and what to do about it.
type Unfit struct{ Why, Hint string }

// Error implements error.
func (u *Unfit) Error() string { return u.Why }

// images are the media types that models see.
var images = map[string]bool{"image/png": true, "image/jpeg": true, "image/gif": true, "image/webp": true}

// BlockOf makes a block of what a file holds, by what it looks like. Text is
// taken over byte for byte, but for UTF-16 with a byte order mark, which becomes
// UTF-8. Its error is an [*Unfit].
func BlockOf(data []byte) (Block, error) {
	media := http.DetectContentType(data)
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return Block{}, &Unfit{"it is empty", "name another file, or leave it out"}
	case bytes.HasPrefix(data, []byte("%PDF-")):
		return pdf(data)
	case images[media]:
		if len(data) > maxImage {
			return Block{}, tooLarge("an image", maxImage, "make the picture smaller: models see about 2,500 pixels of the long side")
		}
		return Block{Type: "image", Source: &Source{"base64", media, data}}, nil
	}
	return text(data, media)
}

func pdf(data []byte) (Block, error) {
	if len(data) > maxPDF {
		return Block{}, tooLarge("a PDF", maxPDF, "take its text, which can be split, too: pdftotext file.pdf file.txt")
	}
	return Block{Type: "document", Source: &Source{"base64", "application/pdf", data}}, nil
}

func text(data []byte, media string) (Block, error) {
	if len(data) > MaxText {
		return Block{}, tooLarge("a text", MaxText, "cut it in files with weir split --out, and ask about each")
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		decoded, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Bytes(data)
		if err != nil || bytes.IndexByte(decoded, 0) >= 0 {
			return Block{}, binary(media)
		}
		return Block{Type: "text", Text: string(decoded)}, nil
	}
	switch {
	case bytes.IndexByte(data, 0) >= 0:
		return Block{}, binary(media)
	case !utf8.Valid(data):
		return Block{}, &Unfit{"it is neither UTF-8 nor a picture or a PDF", "if it is text, convert it, such as by iconv -f GB18030 -t UTF-8"}
	}
	return Block{Type: "text", Text: strings.TrimPrefix(string(data), "\ufeff")}, nil
}

func binary(media string) error {
	what := "binary data"
	if media != "application/octet-stream" && !strings.HasPrefix(media, "text/") {
		what += " (" + media + ")"
	}
	return &Unfit{"it is " + what, "name a file of text, a PDF, or a picture (PNG, JPEG, GIF, WebP)"}
}

func tooLarge(what string, most int, hint string) error {
	return &Unfit{fmt.Sprintf("it is %s of more than %.1f MB", what, float64(most)/(1<<20)), hint}
}

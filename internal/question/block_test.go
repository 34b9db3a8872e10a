package question

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestBlockOf(t *testing.T) {
	png := []byte("\x89PNG\r\n\x1a\n" + strings.Repeat("x", 20))
	for name, tt := range map[string]struct {
		data string
		want Block
	}{
		"text":        {"The river rose.\n", Block{Type: "text", Text: "The river rose.\n"}},
		"chinese":     {"河水涨了。", Block{Type: "text", Text: "河水涨了。"}},
		"marked":      {"\ufeffhi", Block{Type: "text", Text: "hi"}},
		"utf-16":      {"\xff\xfeh\x00i\x00", Block{Type: "text", Text: "hi"}},
		"utf-16-be":   {"\xfe\xff\x00h\x00i", Block{Type: "text", Text: "hi"}},
		"html":        {"<!DOCTYPE html><p>hi", Block{Type: "text", Text: "<!DOCTYPE html><p>hi"}},
		"pdf":         {"%PDF-1.7\n\x00", Block{Type: "document", Source: &Source{"base64", "application/pdf", []byte("%PDF-1.7\n\x00")}}},
		"png":         {string(png), Block{Type: "image", Source: &Source{"base64", "image/png", png}}},
		"jpeg":        {"\xff\xd8\xff\xe0", Block{Type: "image", Source: &Source{"base64", "image/jpeg", []byte("\xff\xd8\xff\xe0")}}},
		"gif":         {"GIF89a\x00", Block{Type: "image", Source: &Source{"base64", "image/gif", []byte("GIF89a\x00")}}},
		"webp":        {"RIFF\x00\x00\x00\x00WEBPVP8 ", Block{Type: "image", Source: &Source{"base64", "image/webp", []byte("RIFF\x00\x00\x00\x00WEBPVP8 ")}}},
		"pretend-bmp": {"BM is how it begins", Block{Type: "text", Text: "BM is how it begins"}},
	} {
		got, err := BlockOf([]byte(tt.data))
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(tt.want)
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: %s, %v, want %s", name, a, err, b)
		}
	}
}

func TestWhatIsUnfit(t *testing.T) {
	big := func(begin string, size int) string { return begin + strings.Repeat("x", size) }
	for name, tt := range map[string]struct{ data, why string }{
		"nothing":     {"", "empty"},
		"space":       {" \n\t", "empty"},
		"binary":      {"\x7fELF\x02\x01\x01\x00\x00", "binary data"},
		"zip":         {"PK\x03\x04\x00\x00", "binary data (application/zip)"},
		"latin-1":     {"Stra\xdfe", "neither UTF-8"},
		"gb18030":     {"\xba\xd3\xcb\xae", "neither UTF-8"},
		"large-text":  {big("", MaxText+1), "a text of more than 30.0 MB"},
		"large-pdf":   {big("%PDF-1.4", maxPDF), "a PDF of more than 20.0 MB"},
		"large-image": {big("\x89PNG\r\n\x1a\n", maxImage), "an image of more than 3.8 MB"},
	} {
		_, err := BlockOf([]byte(tt.data))
		unfit, ok := errors.AsType[*Unfit](err)
		if !ok || !strings.Contains(unfit.Why, tt.why) || unfit.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

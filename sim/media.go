package sim

import (
	"bytes"
	"encoding/base64"
	"image"
	_ "image/gif"  // so that DecodeConfig knows it
	_ "image/jpeg" // so that DecodeConfig knows it
	_ "image/png"  // so that DecodeConfig knows it
	"io"
	"math"
	"regexp"
	"strings"
)

// unknownImage stands for an image that is not in the request itself: about
// one megapixel.
const unknownImage = 1369

// imageTokens counts an image by its size in pixels: one token for 28 × 28
// pixels after it was scaled down to the model's longest edge (Anthropic docs,
// vision).
func imageTokens(family string, source *value) float64 {
	if source.get("type").text() != "base64" {
		return unknownImage
	}
	w, h, ok := imageSize(source.get("data").text())
	if !ok {
		return unknownImage
	}
	edge, limit := 1568.0, 1568.0
	if family == "new" {
		edge, limit = 2576, 4784
	}
	if longest := max(w, h); longest > edge {
		w, h = w*edge/longest, h*edge/longest
	}
	return min(limit, math.Ceil(w/28)*math.Ceil(h/28))
}

// imageSize reads the size from the first bytes of an image.
func imageSize(data string) (w, h float64, ok bool) {
	r := base64.NewDecoder(base64.StdEncoding, strings.NewReader(data))
	config, _, err := image.DecodeConfig(io.LimitReader(r, 1<<20))
	if err != nil {
		return webpSize(data)
	}
	return float64(config.Width), float64(config.Height), true
}

// webpSize reads the size from the header of a WebP image, which the standard
// library does not know.
func webpSize(data string) (w, h float64, ok bool) {
	head := make([]byte, 30)
	r := base64.NewDecoder(base64.StdEncoding, strings.NewReader(data))
	if _, err := io.ReadFull(r, head); err != nil || string(head[:4]) != "RIFF" || string(head[8:12]) != "WEBP" {
		return 0, 0, false
	}
	little := func(i, n int) int {
		sum := 0
		for k := range n {
			sum |= int(head[i+k]) << (8 * k)
		}
		return sum
	}
	switch string(head[12:16]) {
	case "VP8 ":
		return float64(little(26, 2) & 0x3fff), float64(little(28, 2) & 0x3fff), true
	case "VP8L":
		bits := little(21, 4)
		return float64(bits&0x3fff + 1), float64(bits>>14&0x3fff + 1), true
	case "VP8X":
		return float64(little(24, 3) + 1), float64(little(27, 3) + 1), true
	}
	return 0, 0, false
}

// pdfPage finds the page objects of a PDF.
var pdfPage = regexp.MustCompile(`/Type\s*/Page[^s]`)

// documentTokens counts a document block: a PDF by its pages with their
// images, about 7,000 tokens for three, other documents by their text
// (Anthropic docs, PDF support).
func documentTokens(family string, block *value) float64 {
	source := block.get("source")
	frame := 20 + textTokens(family, block.get("title").text()) + textTokens(family, block.get("context").text())
	switch source.get("type").text() {
	case "text":
		return frame + textTokens(family, source.get("data").text())
	case "content":
		return frame + contentTokens(family, source.get("content"))
	case "base64":
		return frame + 7000.0/3*float64(pdfPages(source.get("data").text()))
	}
	return frame + 7000 // by URL or file id: three pages
}

// pdfPages counts pages, by size where they are hidden in compressed objects.
func pdfPages(data string) int {
	raw, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, strings.NewReader(data)))
	if err != nil {
		return 1
	}
	if n := len(pdfPage.FindAll(append(raw, ' '), -1)); n > 0 {
		return n
	}
	return max(1, len(raw)/60_000)
}

// decodable reports whether data is base64, without decoding all of it twice:
// the alphabet and the length decide.
func decodable(data string) bool {
	body := strings.TrimRight(data, "=")
	if len(data)%4 != 0 || len(data)-len(body) > 2 || body == "" {
		return false
	}
	return bytes.IndexFunc([]byte(body), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '+' || r == '/')
	}) < 0
}

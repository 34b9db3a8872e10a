package classify

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"

	"github.com/weir-gateway/weir/call"
)

// The rules of the docs for images: one token for 28 × 28 pixels after
// downscaling to the longest edge, and no more than the cap. The older rule
// holds until Opus 4.6, the newer from Opus 4.7 on (Anthropic docs, vision).
var imageRules = [2]struct{ edge, limit int }{{1568, 1568}, {2576, 4784}}

// unknownImage stands for an image that is not in the request itself (by URL
// or file id) or that cannot be read: about one megapixel.
const unknownImage = 1369

// addImage counts an image by its data in base64, which may be nil.
func addImage(data []byte, m *call.Measure) {
	m.Images++
	w, h, ok := imageSize(base64Text(data))
	for i, rule := range imageRules {
		if !ok {
			m.Pixels[i] += unknownImage
			continue
		}
		m.Pixels[i] += int32(imageTokens(w, h, rule.edge, rule.limit))
	}
}

func imageTokens(w, h, edge, limit int) int {
	if longest := max(w, h); longest > edge {
		w, h = max(1, w*edge/longest), max(1, h*edge/longest)
	}
	return min(limit, (w+27)/28*((h+27)/28))
}

// base64Text is data in base64 that is decoded where it is looked at, and
// nowhere else.
type base64Text []byte

// at decodes n bytes, at most 30, from an offset of the data.
func (t base64Text) at(offset, n int) ([]byte, bool) {
	var out [36]byte
	from, to := offset/3*4, (offset+n+2)/3*4
	if offset < 0 || to > len(t) {
		return nil, false
	}
	got, err := base64.StdEncoding.Decode(out[:], t[from:to])
	skip := offset % 3
	if err != nil || got < skip+n {
		return nil, false
	}
	return out[skip : skip+n], true
}

// imageSize reads width and height from the header of a PNG, GIF, JPEG or
// WebP image.
func imageSize(t base64Text) (w, h int, ok bool) {
	b, ok := t.at(0, 30)
	if !ok {
		return 0, 0, false
	}
	switch {
	case string(b[:8]) == "\x89PNG\r\n\x1a\n":
		w, h = int(binary.BigEndian.Uint32(b[16:])), int(binary.BigEndian.Uint32(b[20:]))
	case string(b[:4]) == "GIF8":
		w, h = int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:]))
	case string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		w, h = webpSize(b)
	case b[0] == 0xFF && b[1] == 0xD8:
		w, h = jpegSize(t)
	}
	return w, h, w > 0 && h > 0 && w < 1<<20 && h < 1<<20
}

// webpSize reads one of the three kinds of WebP (RFC 9649 §2).
func webpSize(b []byte) (w, h int) {
	little := func(at int) int { return int(b[at]) | int(b[at+1])<<8 | int(b[at+2])<<16 }
	switch string(b[12:16]) {
	case "VP8 ":
		return little(26) & 0x3fff, little(28-1) >> 8 & 0x3fff
	case "VP8L":
		bits := little(21) | int(b[24])<<24
		return bits&0x3fff + 1, bits>>14&0x3fff + 1
	case "VP8X":
		return little(24) + 1, little(27) + 1
	}
	return 0, 0
}

// maxSegments bounds the search for a JPEG's frame header: EXIF, colour
// profiles and thumbnails come before it.
const maxSegments = 200

// jpegSize walks from segment to segment up to the frame header.
func jpegSize(t base64Text) (w, h int) {
	at := 2
	for range maxSegments {
		b, ok := t.at(at, 9)
		if !ok || b[0] != 0xFF {
			return 0, 0
		}
		kind := b[1]
		switch {
		case kind == 0xFF: // fill byte
			at++
		case kind >= 0xD0 && kind <= 0xD9 || kind == 0x01: // no length
			at += 2
		case kind >= 0xC0 && kind <= 0xCF && kind != 0xC4 && kind != 0xC8 && kind != 0xCC:
			return int(binary.BigEndian.Uint16(b[7:])), int(binary.BigEndian.Uint16(b[5:]))
		default:
			at += 2 + int(binary.BigEndian.Uint16(b[2:]))
		}
	}
	return 0, 0
}

// The rules for PDF documents whose pages cannot be counted.
const (
	unknownPages = 3        // of one that is not in the request itself
	pageBytes    = 60_000   // of one whose page objects are compressed
	pdfScanned   = 4 << 20  // bytes in which pages are counted; the rest is in proportion
	pdfChunk     = 12 << 10 // multiple of 3
	pdfOverlap   = 32       // so that no page object is cut in two
)

// countPages counts the page objects of a PDF document in base64.
func countPages(data []byte) int32 {
	size := len(data) / 4 * 3
	scan := min(size, pdfScanned)
	buf := make([]byte, pdfOverlap+pdfChunk)
	kept, pages := 0, 0
	for at := 0; at < scan; at += pdfChunk {
		from, to := at/3*4, min(len(data)/4*4, (at+pdfChunk)/3*4)
		n, err := base64.StdEncoding.Decode(buf[kept:], data[from:to])
		text := buf[:kept+n]
		last := err != nil || to == len(data)/4*4
		pages += pageObjects(text, last)
		if last {
			break
		}
		kept = copy(buf, text[max(0, len(text)-pdfOverlap):])
	}
	if pages == 0 {
		return int32(max(1, size/pageBytes))
	}
	return int32(max(1, pages*size/max(scan, 1)))
}

// pageObjects counts "/Type /Page" but not "/Type /Pages". Of a text that goes
// on, the last bytes are left for the next time.
func pageObjects(text []byte, last bool) (n int) {
	limit := len(text) - pdfOverlap
	if last {
		limit = len(text)
	}
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte("/Type"))
		if i < 0 || from+i >= limit {
			return n
		}
		from += i + len("/Type")
		rest := bytes.TrimLeft(text[from:min(len(text), from+24)], " \r\n\t")
		if after, ok := bytes.CutPrefix(rest, []byte("/Page")); ok && (len(after) == 0 || after[0] != 's') {
			n++
		}
	}
}

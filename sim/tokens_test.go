package sim

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"math"
	"strings"
	"testing"
)

func TestTextTokensPerCharacter(t *testing.T) {
	english := strings.Repeat("The keeper of the weir counts the boards, and writes down the height of the water. ", 40)
	chinese := strings.Repeat("守堰人每天早晚记录水位，雨来时他早早开闸。", 40)
	for _, tc := range []struct {
		name, family, text string
		perToken           float64
	}{
		{"english-old", "old", english, 4.33},
		{"english-new", "new", english, 3.60},
		{"chinese-old", "old", chinese, 1.0},
		{"chinese-new", "new", chinese, 1.0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := float64(len([]rune(tc.text))) / textTokens(tc.family, tc.text)
			if math.Abs(got/tc.perToken-1) > 0.10 {
				t.Errorf("%.2f characters per token, want %.2f ±10 %%", got, tc.perToken)
			}
		})
	}
}

func TestTextTokensCannotBePredictedExactly(t *testing.T) {
	low, high := math.Inf(1), 0.0
	for i := range 500 {
		n := textTokens("new", fmt.Sprintf("%06d", i)+strings.Repeat("word ", 200))
		if n != textTokens("new", fmt.Sprintf("%06d", i)+strings.Repeat("word ", 200)) {
			t.Fatal("the same text has two numbers of tokens")
		}
		low, high = min(low, n), max(high, n)
	}
	if spread := high/low - 1; spread < 0.05 || spread > 0.10 {
		t.Errorf("texts of one shape differ by %.1f %%, want 5 to 10 %%", spread*100)
	}
}

// pngOf returns a picture as the API takes it: of one pixel, with another size
// in its header.
func pngOf(t testing.TB, w, h int) string {
	t.Helper()
	var buf bytes.Buffer
	if err := png.Encode(&buf, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	header := buf.Bytes()[12:29] // IHDR, width, height, five more bytes
	binary.BigEndian.PutUint32(header[4:], uint32(w))
	binary.BigEndian.PutUint32(header[8:], uint32(h))
	binary.BigEndian.PutUint32(buf.Bytes()[29:], crc32.ChecksumIEEE(header))
	return base64.StdEncoding.EncodeToString(buf.Bytes())
}

func TestImageTokens(t *testing.T) {
	for _, tc := range []struct {
		name, family string
		w, h         int
		want         float64
	}{
		{"small", "new", 280, 280, 100},
		{"odd-size", "new", 281, 280, 110},
		{"scaled-old", "old", 3136, 1568, 56 * 28},
		{"capped-old", "old", 1568, 1568, 1568},
		{"capped-new", "new", 2576, 2576, 4784},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := parseJSON(`{"type":"base64","media_type":"image/png","data":"` + pngOf(t, tc.w, tc.h) + `"}`)
			if err != nil {
				t.Fatal(err)
			}
			if got := imageTokens(tc.family, &v); got != tc.want {
				t.Errorf("%d×%d is %v tokens, want %v", tc.w, tc.h, got, tc.want)
			}
		})
	}
}

func TestWebPSize(t *testing.T) {
	head := func(s string) string {
		return base64.StdEncoding.EncodeToString(append([]byte(s), make([]byte, 40)...))
	}
	for _, tc := range []struct {
		name, head string
		w, h       float64
	}{
		{"lossy", "RIFF....WEBPVP8 ..........\x20\x03\x58\x02", 800, 600},
		{"extended", "RIFF....WEBPVP8X........\x1f\x03\x00\x57\x02\x00", 800, 600},
		{"lossless", "RIFF....WEBPVP8L....\x2f\x1f\xc3\x95\x00", 800, 600},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if w, h, ok := imageSize(head(tc.head)); !ok || w != tc.w || h != tc.h {
				t.Errorf("size is %v×%v (%v), want %v×%v", w, h, ok, tc.w, tc.h)
			}
		})
	}
}

func TestPDFPages(t *testing.T) {
	pdf := "%PDF-1.4\n<</Type /Pages /Count 3>>" + strings.Repeat("<< /Type /Page /Parent 1 0 R >>\n", 3)
	if got := pdfPages(base64.StdEncoding.EncodeToString([]byte(pdf))); got != 3 {
		t.Errorf("%d pages, want 3", got)
	}
	if got := pdfPages(base64.StdEncoding.EncodeToString(make([]byte, 300_000))); got != 5 {
		t.Errorf("a PDF without visible pages has %d, want 5 by its size", got)
	}
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

// splitFlags are the flags of weir split.
type splitFlags struct {
	tokens, overlap int64
	model, out      string
	asJSON          bool
}

func splitCommand(e env) *cobra.Command {
	var f splitFlags
	cmd := &cobra.Command{
		Use:   "split FILE",
		Short: "Cut a long text into parts that a model can take",
		Long: `Cuts a text into parts of at most --tokens by an estimate: before headings,
paragraphs, items of lists and elements of HTML, else between sentences, lines or
words. Tables and fenced code stay whole where they can. It knows Markdown, HTML,
source code and the text of PDFs (not PDF files: use pdftotext). Without their
overlaps the parts are the text, byte for byte. - reads the standard input. It
prints a table of the parts, or with --json the parts themselves, or with --out
the names of the files that it writes them to. Nothing is sent anywhere.`,
		Example: "  weir split book.md --tokens 100000 --out parts\n  weir split - --json < book.txt | jq .parts[0].text",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{hinted{fmt.Errorf("one file is needed, not %d", len(args)), `run "weir split --help"`}}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return splitFile(e, f, args[0]) },
	}
	fs := cmd.Flags()
	fs.Int64Var(&f.tokens, "tokens", 100_000, "tokens of a part at most")
	fs.Int64Var(&f.overlap, "overlap", 0, "tokens that a part repeats of the one before, at most; whole sentences")
	fs.StringVar(&f.model, "model", "", "model whose tokens are meant (default: a current one)")
	fs.StringVar(&f.out, "out", "", "folder to write the parts to, a file each")
	fs.BoolVar(&f.asJSON, "json", false, "print the parts with their texts as JSON")
	return cmd
}

func (f splitFlags) check() error {
	var errs []error
	if f.tokens < 1 {
		errs = append(errs, fmt.Errorf("--tokens %d is out of range: use 1 or more", f.tokens))
	}
	if f.overlap < 0 || f.overlap > f.tokens/2 {
		errs = append(errs, fmt.Errorf("--overlap %d is out of range: use 0 to half of --tokens", f.overlap))
	}
	if f.asJSON && f.out != "" {
		errs = append(errs, errors.New("--json and --out exclude each other: choose one"))
	}
	return errors.Join(errs...)
}

// splitPart is a part as weir split --json prints it.
type splitPart struct {
	Part    int         `json:"part"`
	Tokens  call.Tokens `json:"tokens"`
	Bytes   int         `json:"bytes"`
	Overlap int         `json:"overlap_bytes"`
	Text    string      `json:"text"`
}

func splitFile(e env, f splitFlags, name string) error {
	if err := f.check(); err != nil {
		return usageError{err}
	}
	text, err := readText(e, name)
	if err != nil {
		return err
	}
	list := weir.SplitText(text, weir.SplitBounds{Model: f.model, Tokens: call.Tokens(f.tokens), Overlap: call.Tokens(f.overlap)})
	parts := make([]splitPart, len(list))
	for i, p := range list {
		parts[i] = splitPart{Part: i + 1, Tokens: p.Tokens, Bytes: len(p.Text), Overlap: p.Overlap, Text: p.Text}
	}
	switch {
	case f.asJSON && !utf8.ValidString(text):
		return hinted{fmt.Errorf("%s has bytes that are no UTF-8, which JSON cannot carry", name), "write the parts with --out, or convert the text first, for example with iconv"}
	case f.asJSON:
		return printJSON(e.stdout, map[string]any{"parts": parts})
	case f.out != "":
		return writeParts(e, f.out, name, parts)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "part\ttokens\tbytes\toverlap\t")
	for _, p := range parts {
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t\n", p.Part, p.Tokens, p.Bytes, p.Overlap)
	}
	return w.Flush()
}

// readText reads a file, or the standard input for "-".
func readText(e env, name string) (string, error) {
	raw, err := readAll(e, name)
	if err != nil {
		return "", usageError{hinted{err, "name a text file, or - for the standard input"}}
	}
	text := string(raw)
	switch {
	case strings.HasPrefix(text, "%PDF-"):
		return "", hinted{fmt.Errorf("%s is a PDF, not a text", name), "extract its text first, for example with pdftotext"}
	case strings.Contains(text[:min(len(text), 64<<10)], "\x00"):
		return "", hinted{fmt.Errorf("%s is not a text in UTF-8", name), "convert it first, for example with iconv -f UTF-16 -t UTF-8"}
	}
	return text, nil
}

func readAll(e env, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(e.stdin)
	}
	return os.ReadFile(name)
}

// writeParts writes the parts to files that are named after the text's, and
// prints their names. It overwrites nothing.
func writeParts(e env, folder, name string, parts []splitPart) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	ext := filepath.Ext(name)
	base := strings.TrimSuffix(filepath.Base(name), ext)
	if name == "-" {
		base, ext = "part", ".txt"
	}
	for _, p := range parts {
		file := filepath.Join(folder, fmt.Sprintf("%s-%04d%s", base, p.Part, ext))
		out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return hinted{err, "choose a folder that has no parts in it yet"}
		}
		_, err = out.WriteString(p.Text)
		if err := errors.Join(err, out.Close()); err != nil {
			return err
		}
		fmt.Fprintln(e.stdout, file)
	}
	return nil
}

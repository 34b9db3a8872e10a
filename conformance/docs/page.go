// Package docs runs the documents: every fenced block of the READMEs and of the
// pages under docs is taken out and run, parsed or compiled by the tests here,
// so that nothing stands there which does not work. A block that cannot be run
// says why in a comment in front of it:
//
//	<!-- not run: it needs root -->
//
// Two other comments help the blocks that are run. The first saves a block for
// those after it; the second makes a block what the one before it prints, line
// by line, where … stands for anything:
//
//	<!-- file: weir.yaml -->
//	<!-- output -->
//
// make docs runs everything; go test alone does what needs nothing installed.
package docs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Page is one document.
type Page struct {
	Name   string // slash-separated, from the repository's root
	RunBy  string // the test of another folder that runs its blocks, or ""
	Text   string
	Blocks []Block
}

// runBy names the tests that run the blocks of pages which need more than the
// house here: a page of Streamlit needs Streamlit.
var runBy = map[string]string{
	"clients/python/README.md":       "scripts/streamlit-tests.sh",
	"docs/guides/streamlit.md":       "clients/python/tests/test_guide.py",
	"docs/guides/streamlit.zh-CN.md": "clients/python/tests/test_guide.py",
}

// Block is one fenced block of a page.
type Block struct {
	Line   int    // of its fence
	Kind   string // what stands behind the fence: sh, yaml, ...
	Text   string
	File   string // under which it is saved, or ""
	NotRun string // why it is not run, or ""
	Output bool   // it is what the block before it prints
}

// Pages reads all documents of the repository at root.
func Pages(root string) ([]Page, error) {
	names, err := filepath.Glob(filepath.Join(root, "README*.md"))
	if err != nil {
		return nil, err
	}
	names = append(names, filepath.Join(root, "clients", "python", "README.md"))
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(name string, _ fs.DirEntry, err error) error {
		if filepath.Ext(name) == ".md" {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var pages []Page
	for _, name := range names {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // not every client has a document
		}
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return nil, err
		}
		p, err := Parse(filepath.ToSlash(rel), string(data))
		if err != nil {
			return nil, err
		}
		pages = append(pages, p)
	}
	return pages, nil
}

// Parse takes the blocks out of a page. A block may be indented, as in a list.
func Parse(name, text string) (Page, error) {
	p := Page{Name: name, RunBy: runBy[name], Text: text}
	var open *Block
	var indent, notes string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		bare := strings.TrimSpace(line)
		switch {
		case open == nil && strings.HasPrefix(bare, "```"):
			open = &Block{Line: i + 1, Kind: strings.TrimPrefix(bare, "```")}
			if err := open.note(notes); err != nil && p.RunBy == "" {
				return p, fmt.Errorf("%s:%d: %w", name, i+1, err)
			}
			indent = line[:strings.Index(line, "`")]
		case open != nil && bare == "```":
			p.Blocks = append(p.Blocks, *open)
			open, notes = nil, ""
		case open != nil:
			open.Text += strings.TrimPrefix(line, indent) + "\n"
		case strings.HasPrefix(bare, "<!--"):
			notes += bare + "\n"
		case bare != "":
			notes = ""
		}
	}
	if open != nil {
		return p, fmt.Errorf("%s:%d: the block has no end", name, open.Line)
	}
	return p, nil
}

// note reads the comments in front of a block.
func (b *Block) note(comments string) error {
	for line := range strings.Lines(comments) {
		text := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "<!--"), "-->"))
		kind, rest, _ := strings.Cut(text, ":")
		rest = strings.TrimSpace(rest)
		switch {
		case kind == "not run" && rest != "":
			b.NotRun = rest
		case kind == "file" && filepath.IsLocal(rest):
			b.File = rest
		case text == "output":
			b.Output = true
		default:
			return fmt.Errorf("the comment %q is not known: write not run: REASON, file: NAME or output", text)
		}
	}
	return nil
}

// runnable are the kinds of blocks that the tests know how to run.
var runnable = []string{"sh", "yaml", "json", "go", "python", "ts"}

// Fault is what is wrong with the block itself, or "".
func (b *Block) Fault() string {
	switch {
	case b.NotRun != "" || b.Output && b.Kind == "text":
		return ""
	case b.Output:
		return "output is of the kind text"
	case !slices.Contains(runnable, b.Kind):
		return fmt.Sprintf("a block of kind %q cannot be run: use one of %s, or put <!-- not run: REASON --> in front",
			b.Kind, strings.Join(runnable, ", "))
	}
	return ""
}

package docs

import (
	_ "embed"
	"fmt"
	"path"
	"regexp"
	"strings"
)

//go:embed prelude.sh
var prelude string

// House is where the blocks of a page find what they talk to.
type House struct {
	Dir                 string // the sandbox
	Gateway, Admin, Sim string // addresses
}

// Rewrite puts the sandbox's addresses and folders into the place of those that
// a reader has. It is all that is changed of a block.
func (h House) Rewrite(text string) string {
	return strings.NewReplacer(
		"127.0.0.1:8787", h.Gateway, "127.0.0.1:8788", h.Admin, "127.0.0.1:8089", h.Sim,
		"localhost:8787", strings.Replace(h.Gateway, "127.0.0.1", "localhost", 1),
		"/etc/weir", h.Dir+"/etc/weir", "/var/lib/weir", h.Dir+"/var/lib/weir", "/run/secrets", h.Dir+"/run/secrets",
	).Replace(text)
}

// Script is a shell script that does what a reader of the page would: it saves
// the files and runs the blocks one after the other, in one shell, so that what
// one of them exports holds for the next. The output of block i is kept in
// out/i; out/now has the number of the block that runs.
func (h House) Script(p Page) string {
	var s strings.Builder
	s.WriteString(prelude)
	saved := map[string]bool{}
	for _, b := range p.Blocks {
		if b.File != "" && b.NotRun == "" && !saved[b.File] {
			s.WriteString(h.save(b)) // blocks before it may name it already
			saved[b.File] = true
		}
	}
	for i, b := range p.Blocks {
		if b.NotRun != "" || b.Output {
			continue
		}
		fmt.Fprintf(&s, "echo %d >out/now\n{\n", i)
		if b.File != "" {
			s.WriteString(h.save(b))
		}
		s.WriteString(h.run(b, i))
		fmt.Fprintf(&s, "} >out/%d 2>&1\n", i)
	}
	s.WriteString("echo end >out/now\n")
	return s.String()
}

// save writes a block's file, with the heredoc's end chosen so that no block
// contains it.
func (h House) save(b Block) string {
	return fmt.Sprintf("mkdir -p %q\ncat >%q <<'END-OF-BLOCK'\n%sEND-OF-BLOCK\n", path.Dir(b.File), b.File, h.Rewrite(b.Text))
}

// run is how a block is run. Kinds that are only parsed need nothing here.
func (h House) run(b Block, i int) string {
	file := b.File
	switch b.Kind {
	case "sh":
		return h.Rewrite(b.Text)
	case "yaml":
		if !b.Configuration() {
			return ":\n"
		}
		if file == "" {
			file = fmt.Sprintf("block%d.yaml", i)
			b.File = file
			return h.save(b) + h.secrets(b) + fmt.Sprintf("try_configuration %q\n", file)
		}
		return h.secrets(b) + fmt.Sprintf("try_configuration %q\n", file)
	case "go":
		if _, whole := program(b); whole {
			return fmt.Sprintf("\"$GOBLOCKS/%s\"\n", binary(b))
		}
	case "python", "ts":
		program := "python3"
		if b.Kind == "ts" {
			program = "node"
		}
		if file == "" {
			file = fmt.Sprintf("block%d.%s", i, map[string]string{"python": "py", "ts": "mjs"}[b.Kind])
			b.File = file
			return h.save(b) + program + " " + file + "\n"
		}
		return program + " " + file + "\n"
	}
	return ":\n"
}

// Configuration reports whether a block is a configuration of the gateway, as
// all YAML is that has no name, or one of its. Files of the other commands have
// the names of what they describe.
func (b Block) Configuration() bool {
	return b.Kind == "yaml" && !b.Prometheus() && (b.File == "" || strings.HasPrefix(path.Base(b.File), "weir"))
}

// Prometheus reports whether a block is for Prometheus, of which there is none
// in the house: it is only parsed.
func (b Block) Prometheus() bool {
	return b.Kind == "yaml" && strings.Contains(b.Text, "scrape_configs:")
}

var reference = regexp.MustCompile(`\b(env|file):([\w/.-]+)`)

// secrets provides those that a configuration refers to and the page has not
// made.
func (h House) secrets(b Block) string {
	var s strings.Builder
	for i, m := range reference.FindAllStringSubmatch(h.Rewrite(b.Text), -1) {
		kind, name := m[1], m[2]
		value := fmt.Sprintf("sk-ant-api03-docs-%d", i)
		switch {
		case strings.Contains(name, "ADMIN"):
			value = "sk-ant-admin01-docs"
		case strings.Contains(name, "HOOK"):
			value = "https://127.0.0.1:1/hook" // nobody is told
		}
		if kind == "env" {
			fmt.Fprintf(&s, "[[ -n ${%s:-} ]] || local_env+=(%s=%s)\n", name, name, value)
		} else {
			fmt.Fprintf(&s, "[[ -e %s ]] || { mkdir -p %s; echo %s >%s; }\n", name, path.Dir(name), value, name)
		}
	}
	return s.String()
}

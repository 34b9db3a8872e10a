package arch

import (
	"bytes"
	"testing"
)

// registries are hosts of package registries. Where a package comes from is
// the machine's configuration, never the repository's. The names are put
// together here so that this file does not contain them.
var registries = []string{
	"registry." + "npmjs.", "registry." + "yarnpkg.", "npm." + "pkg.github.",
	"pypi." + "org", "python" + "hosted.", "proxy." + "golang.", "sum." + "golang.",
	"goproxy." + "cn", "deb." + "debian.", "security." + "debian.", "archive." + "ubuntu.",
	"npm" + "mirror.", "jsr." + "io",
}

func TestNoRegistryHosts(t *testing.T) {
	walk(t, func(name string, data []byte) {
		for _, host := range registries {
			if before, _, ok := bytes.Cut(data, []byte(host)); ok {
				t.Errorf("%s:%d names the package registry %s…: remove it; for npm's lock file, "+
					"omit-lockfile-registry-resolved=true in .npmrc does it",
					name, 1+bytes.Count(before, []byte("\n")), host)
			}
		}
	})
}

package rules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Folder is a folder of rule documents. It follows files that are written,
// replaced, removed, or swapped by a symbolic link, as Kubernetes does with a
// ConfigMap. What stands behind links that lead out of the folder, or on a
// network file system, can change unseen: [Folder.Reload] reads it.
type Folder struct {
	follower
	dir    string
	reload chan struct{}
}

// settle is how long the folder must rest before it is read: editors write in
// several steps.
const settle = 200 * time.Millisecond

// NewFolder returns the source of the rules in dir, for apply.
func NewFolder(dir string, apply Apply, log *slog.Logger) (*Folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{follower: follower{apply: apply, log: log}, dir: dir, reload: make(chan struct{}, 1)}, nil
}

// Start brings the folder's rules into force, or says why they cannot be.
func (d *Folder) Start(context.Context) error { return d.read() }

// Reload makes Run read the folder soon, and say again what is wrong with it.
func (d *Folder) Reload() {
	select {
	case d.reload <- struct{}{}:
	default: // it will soon anyway
	}
}

// Run brings changes into force until ctx is done. Start comes before it.
func (d *Folder) Run(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err == nil {
		defer w.Close()
		err = d.watch(w)
	}
	if err != nil {
		d.log.Warn("cannot watch the rules; reload them with SIGHUP", "folder", d.dir, "cause", err)
	}
	if w == nil {
		w = &fsnotify.Watcher{} // it has no events
	}
	timer := time.NewTimer(settle) // for what came between Start and the watch
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.reload:
			d.forget()
			timer.Reset(0)
		case event := <-w.Events:
			if filepath.Clean(event.Name) == d.dir {
				_ = d.watch(w) // another folder has its name, or soon will
			} else if !relevant(event.Name) {
				continue
			}
			timer.Reset(settle)
		case <-w.Errors: // events may have been lost
			timer.Reset(settle)
		case <-timer.C:
			d.refuse(d.read())
		}
	}
}

// watch watches the folder that has the name now, and the one around it, which
// tells when another takes its place.
func (d *Folder) watch(w *fsnotify.Watcher) error {
	_ = w.Remove(d.dir) // it fails unless the folder is watched
	return errors.Join(w.Add(filepath.Dir(d.dir)), w.Add(d.dir))
}

// relevant reports whether a file of this name, or what it leads to, is read.
func relevant(name string) bool {
	base := filepath.Base(name)
	return base == "..data" || document(base)
}

// document tells rule documents from what editors leave beside them.
func document(base string) bool {
	return filepath.Ext(base) == ".json" && !strings.HasPrefix(base, ".")
}

// read brings what is in the folder into force.
func (d *Folder) read() error {
	set, err := d.list()
	if err == nil {
		_, err = d.offer(set)
	}
	if err != nil {
		return fmt.Errorf("rules in %s: %w", d.dir, err)
	}
	return nil
}

func (d *Folder) list() (Set, error) {
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	var (
		set  = Set{}
		errs []error
	)
	for _, e := range entries {
		if !document(e.Name()) || !d.known(e.Name()) {
			continue
		}
		data, err := readDocument(filepath.Join(d.dir, e.Name()))
		set[e.Name()] = data
		errs = append(errs, err)
	}
	return set, errors.Join(errs...)
}

func readDocument(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", file) // reading a pipe would wait
	}
	if info.Size() > maxDocument {
		return nil, tooLarge(filepath.Base(file))
	}
	return os.ReadFile(file)
}

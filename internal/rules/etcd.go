package rules

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// EtcdConfig says where the rules are in etcd.
type EtcdConfig struct {
	Endpoints []string // host:port, or with http:// or https://; all of one kind
	Prefix    string   // of the keys; a document's key is Prefix/NAME
	Username  string
	Password  string
	Memory    string // file that outlives a restart; empty: none
	Files     Files
}

// Etcd is rule documents in etcd. While etcd is out of reach the last good
// rules stay in force.
type Etcd struct {
	follower
	cfg    EtcdConfig
	memory memory
	reload chan struct{}
}

// How long etcd may take to answer, and how long to leave it alone after it
// has not; the pause doubles up to the longest.
const (
	patience     = 5 * time.Second
	firstPause   = 500 * time.Millisecond
	longestPause = 5 * time.Second
)

// A connection on which nothing comes back for keepAlive + keepAliveTimeout is
// lost. etcd refuses clients that ask more often than every five seconds.
const (
	keepAlive        = 10 * time.Second
	keepAliveTimeout = 5 * time.Second
)

var (
	errUnreachable = errors.New("etcd is out of reach")
	errLost        = errors.New("the connection was lost")
	errAgain       = errors.New("a reload was asked for")
)

// NewEtcd returns the source of the rules in etcd, for apply.
func NewEtcd(cfg EtcdConfig, apply Apply, log *slog.Logger) *Etcd {
	cfg.Prefix = strings.TrimRight(cmp.Or(cfg.Prefix, "/weir/rules"), "/") + "/"
	return &Etcd{
		follower: follower{apply: apply, log: log},
		cfg:      cfg, memory: memory{file: cfg.Memory, source: "etcd:" + cfg.Prefix},
		reload: make(chan struct{}, 1),
	}
}

// Start brings the rules in etcd into force, or says why they cannot be. If
// etcd is out of reach, those that are remembered come into force instead, or
// none, and it logs so.
func (e *Etcd) Start(ctx context.Context) error {
	client, err := e.dial(ctx)
	if err == nil {
		defer client.Close()
		var set Set
		if set, _, err = e.list(ctx, client); err == nil {
			return e.take(set)
		}
	}
	if !errors.Is(err, errUnreachable) {
		return err
	}
	e.setLost(err, e.recall())
	return nil
}

// recall brings the remembered rules into force, and says what is in force.
func (e *Etcd) recall() string {
	set, at, err := e.memory.read()
	if set != nil && err == nil {
		_, err = e.offer(set)
	}
	switch {
	case err != nil:
		e.log.Warn("the remembered rules are of no use", "file", e.memory.file, "cause", err)
		return "starting with the default rules"
	case set == nil:
		return "starting with the default rules"
	}
	return "starting with the rules of " + at.Format(time.RFC3339)
}

// Reload makes Run ask etcd anew soon, and say again what is wrong with the
// rules.
func (e *Etcd) Reload() {
	select {
	case e.reload <- struct{}{}:
	default: // it will soon anyway
	}
}

// Run brings changes into force until ctx is done. Start comes before it.
// After every disturbance it reads all rules anew, so that it makes no
// difference what etcd has forgotten, or lost, meanwhile.
func (e *Etcd) Run(ctx context.Context) error {
	pause := firstPause
	for {
		err := e.session(ctx, func() { pause = firstPause })
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errAgain), errors.Is(err, rpctypes.ErrCompacted):
			continue
		}
		e.setLost(err, "the last rules stay in force")
		select {
		case <-ctx.Done():
			return nil
		case <-e.reload:
			e.forget()
		case <-time.After(pause/2 + rand.N(pause)): // not all gateways at once
		}
		pause = min(2*pause, longestPause)
	}
}

// session follows the rules on one connection, until it is disturbed. It calls
// reached when etcd has answered.
func (e *Etcd) session(ctx context.Context, reached func()) error {
	client, err := e.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	set, revision, err := e.list(ctx, client)
	if err != nil {
		return err
	}
	reached()
	e.found()
	e.refuse(e.take(set))
	return e.follow(ctx, client, set, revision)
}

// follow brings what comes after a revision into force, until the connection
// is lost, which the client would mend by itself, unseen. The documents that
// one transaction changes come into force together.
func (e *Etcd) follow(ctx context.Context, client *clientv3.Client, set Set, revision int64) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	wg.Go(func() {
		defer cancel() // Watch itself may be waiting for a connection
		conn := client.ActiveConnection()
		conn.WaitForStateChange(ctx, conn.GetState()) // it has just served
	})
	changes := client.Watch(ctx, e.cfg.Prefix, clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	for {
		select {
		case <-e.reload:
			e.forget()
			return errAgain
		case resp, open := <-changes:
			if !open || ctx.Err() != nil {
				return errLost
			}
			if err := resp.Err(); err != nil {
				return err
			}
			set = maps.Clone(set)
			for _, event := range resp.Events {
				e.change(set, event)
			}
			e.refuse(e.take(set))
		}
	}
}

func (e *Etcd) change(set Set, event *clientv3.Event) {
	name := strings.TrimPrefix(string(event.Kv.Key), e.cfg.Prefix)
	if event.Type == clientv3.EventTypeDelete {
		delete(set, name)
	} else if e.known(name) {
		set[name] = event.Kv.Value
	}
}

// take brings a set into force and remembers it.
func (e *Etcd) take(set Set) error {
	changed, err := e.offer(set)
	if err != nil {
		return fmt.Errorf("rules under %s in etcd: %w", e.cfg.Prefix, err)
	}
	if changed {
		if err := e.memory.write(set); err != nil {
			e.log.Error("cannot remember the rules", "file", e.memory.file, "cause", err)
		}
	}
	return nil
}

// dial makes a client. With a password it has logged in.
func (e *Etcd) dial(ctx context.Context) (*clientv3.Client, error) {
	secure, err := e.cfg.Files.load()
	if err != nil {
		return nil, err
	}
	if err := e.knock(ctx, secure); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	client, err := clientv3.New(clientv3.Config{
		Context: ctx, Endpoints: e.cfg.Endpoints, Username: e.cfg.Username, Password: e.cfg.Password, TLS: secure,
		DialTimeout: patience, DialKeepAliveTime: keepAlive, DialKeepAliveTimeout: keepAliveTimeout,
		Logger: zap.NewNop(), // what it would say is in the errors
	})
	if err != nil {
		return nil, e.explain(err)
	}
	return client, nil
}

// list reads all documents at one revision.
func (e *Etcd) list(ctx context.Context, client *clientv3.Client) (Set, int64, error) {
	short, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp, err := client.Get(short, e.cfg.Prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, 0, e.explain(err)
	}
	set := Set{}
	for _, kv := range resp.Kvs {
		if name := strings.TrimPrefix(string(kv.Key), e.cfg.Prefix); e.known(name) {
			set[name] = kv.Value
		}
	}
	return set, resp.Header.Revision, nil
}

// explain tells a denial from an etcd that is out of reach.
func (e *Etcd) explain(err error) error {
	switch {
	case errors.Is(err, rpctypes.ErrUserEmpty):
		return fmt.Errorf("etcd wants a user name and a password: %w", err)
	case errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrPermissionDenied):
		return fmt.Errorf("etcd does not let user %q read %s: %w", e.cfg.Username, e.cfg.Prefix, err)
	}
	return fmt.Errorf("%w: %w", errUnreachable, err)
}

// knock connects to the endpoints as the client will, until one answers. The
// client would wait for the whole of its patience, and would not say for what.
func (e *Etcd) knock(ctx context.Context, secure *tls.Config) error {
	var errs []error
	for _, endpoint := range e.cfg.Endpoints {
		scheme, address, found := strings.Cut(endpoint, "://")
		if !found {
			address = endpoint
		}
		plain := &net.Dialer{Timeout: patience / time.Duration(len(e.cfg.Endpoints))}
		dial := plain.DialContext
		if scheme == "https" || !found && secure != nil {
			dial = (&tls.Dialer{NetDialer: plain, Config: secure}).DialContext
		}
		conn, err := dial(ctx, "tcp", strings.TrimRight(address, "/"))
		if err == nil {
			return conn.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// setLost keeps and logs, once until etcd is found again, that it is lost.
func (e *Etcd) setLost(err error, instead string) {
	e.mu.Lock()
	again := e.lost != nil
	e.lost = fmt.Errorf("%s: %w", instead, err)
	e.mu.Unlock()
	if !again {
		e.log.Warn("the rules in etcd cannot be followed, "+instead, "cause", err)
	}
}

// found takes back what setLost has said, at its level: who has read that
// must be able to read this.
func (e *Etcd) found() {
	e.mu.Lock()
	lost := e.lost
	e.lost = nil
	e.mu.Unlock()
	if lost != nil {
		e.log.Warn("the rules in etcd are followed again")
	}
}

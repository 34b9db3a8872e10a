package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/weir-gateway/weir/call"
)

// Redis says where several gateways keep answers together. They read each
// other's only if they have the same Secret.
type Redis struct {
	Address  string // host:port, or a URL such as rediss://host:6379/2; "": none
	Username string
	Password call.Secret
	Prefix   string // of all keys; "": weir
}

// options reads the address.
func (c Redis) options() (rueidis.ClientOption, error) {
	o := rueidis.ClientOption{InitAddress: []string{c.Address}}
	if strings.Contains(c.Address, "://") {
		var err error
		if o, err = rueidis.ParseURL(c.Address); err != nil {
			return o, errors.New("the address of Redis is no URL such as redis://127.0.0.1:6379/0") // it may hold a password
		}
	} else if _, _, err := net.SplitHostPort(c.Address); err != nil {
		return o, fmt.Errorf("the address of Redis: %w", err)
	}
	if c.Username != "" {
		o.Username = c.Username
	}
	if !c.Password.Empty() {
		o.Password = c.Password.Reveal()
	}
	o.DisableCache, o.DisableRetry, o.ForceSingleClient = true, true, true
	o.Dialer.Timeout, o.ConnWriteTimeout = time.Second, time.Second
	o.PipelineMultiplex, o.RingScaleEachConn = 1, 8
	return o, nil
}

// remote keeps entries in Redis, each until it is too old. Beside them there is,
// for each owner, a list of its keys, and a list of purges for other instances
// to follow.
type remote struct {
	// Static after newRemote.
	options rueidis.ClientOption
	prefix  string
	maxAge  func() time.Duration
	follow  func(of *owner, at time.Time)

	client atomic.Pointer[rueidis.Client]
	seen   string // the last purge that was followed; owned by tend
}

// maxTold bounds the purges that Redis remembers.
const maxTold = 10_000

// pollEvery is how often purges by other instances are looked for.
const pollEvery = time.Second

// newRemote contacts nobody. follow is told of other instances' purges.
func newRemote(cfg Redis, maxAge func() time.Duration, follow func(*owner, time.Time)) (*remote, error) {
	o, err := cfg.options()
	prefix := cfg.Prefix
	if prefix == "" {
		prefix = "weir"
	}
	return &remote{options: o, prefix: prefix + ":cache:", maxAge: maxAge, follow: follow, seen: "-"}, err
}

var errNotConnected = errors.New("there is no connection to Redis yet")

func (d *remote) connected() (rueidis.Client, error) {
	if c := d.client.Load(); c != nil {
		return *c, nil
	}
	return nil, errNotConnected
}

func (d *remote) answer(k key) string   { return d.prefix + "a:" + hex.EncodeToString(k[:]) }
func (d *remote) owned(of owner) string { return d.prefix + "t:" + hex.EncodeToString(of[:]) }
func (d *remote) purges() string        { return d.prefix + "purges" }

func (d *remote) load(ctx context.Context, k key) (of owner, value []byte, err error) {
	c, err := d.connected()
	if err != nil {
		return of, nil, err
	}
	raw, err := c.Do(ctx, c.B().Get().Key(d.answer(k)).Build()).AsBytes()
	if rueidis.IsRedisNil(err) {
		return of, nil, nil
	}
	if err != nil || len(raw) < len(of) {
		return of, nil, err
	}
	return owner(raw[:len(of)]), raw[len(of):], nil
}

func (d *remote) save(ctx context.Context, list []sealed) error {
	c, err := d.connected()
	if err != nil {
		return err
	}
	age := d.maxAge()
	var cmds rueidis.Commands
	for _, e := range list {
		left := (age - time.Since(e.asked)).Milliseconds()
		if left <= 0 {
			continue
		}
		value := rueidis.BinaryString(append(e.owner[:len(e.owner):len(e.owner)], e.value...))
		name, at := d.answer(e.key), float64(e.asked.UnixMilli())
		cmds = append(cmds,
			c.B().Set().Key(name).Value(value).PxMilliseconds(left).Build(),
			c.B().Zadd().Key(d.owned(e.owner)).ScoreMember().ScoreMember(at, name).Build(),
			c.B().Zremrangebyscore().Key(d.owned(e.owner)).Min("-inf").Max(strconv.FormatInt(time.Now().Add(-age).UnixMilli(), 10)).Build(),
			c.B().Pexpire().Key(d.owned(e.owner)).Milliseconds(age.Milliseconds()).Build())
	}
	return all(c.DoMulti(ctx, cmds...))
}

func all(results []rueidis.RedisResult) error {
	for _, r := range results {
		if err := r.Error(); err != nil && !rueidis.IsRedisNil(err) {
			return err
		}
	}
	return nil
}

// purge removes what there is. Where another instance has told of the purge, it
// is repeated, for what this one has written since.
func (d *remote) purge(ctx context.Context, of *owner, at time.Time, tell bool) error {
	c, err := d.connected()
	if err != nil {
		return err
	}
	if tell {
		if err := d.tell(ctx, c, of, at); err != nil {
			return err
		}
	}
	if of != nil {
		return d.remove(ctx, c, d.owned(*of), at)
	}
	for cursor := uint64(0); ; {
		page, err := c.Do(ctx, c.B().Scan().Cursor(cursor).Match(escaped(d.prefix)+"t:*").Count(1000).Build()).AsScanEntry()
		if err != nil {
			return err
		}
		for _, list := range page.Elements {
			if err := d.remove(ctx, c, list, at); err != nil {
				return err
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

// tell puts a purge where other instances look.
func (d *remote) tell(ctx context.Context, c rueidis.Client, of *owner, at time.Time) error {
	whose := "" // everybody's
	if of != nil {
		whose = hex.EncodeToString(of[:])
	}
	note := c.B().Xadd().Key(d.purges()).Maxlen().Almost().Threshold(strconv.Itoa(maxTold)).Id("*").
		FieldValue().FieldValue("of", whose).FieldValue("at", strconv.FormatInt(at.UnixNano(), 10)).Build()
	keep := c.B().Pexpire().Key(d.purges()).Milliseconds((d.maxAge() + time.Minute).Milliseconds()).Build()
	return all(c.DoMulti(ctx, note, keep))
}

// remove removes what an owner's list says was asked for until then.
func (d *remote) remove(ctx context.Context, c rueidis.Client, list string, at time.Time) error {
	until := strconv.FormatInt(at.UnixMilli(), 10)
	names, err := c.Do(ctx, c.B().Zrangebyscore().Key(list).Min("-inf").Max(until).Build()).AsStrSlice()
	if err != nil || len(names) == 0 {
		return err
	}
	return all(c.DoMulti(ctx,
		c.B().Unlink().Key(names...).Build(), c.B().Zremrangebyscore().Key(list).Min("-inf").Max(until).Build()))
}

// escaped takes the meaning from characters that a pattern of Redis has.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// tend connects, and follows the purges of other instances.
func (d *remote) tend(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		d.poll(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// poll follows what is new. Where Redis is away, the calls will notice.
func (d *remote) poll(ctx context.Context) {
	c, err := d.connected()
	if err != nil {
		if c, err = rueidis.NewClient(d.options); err != nil {
			return
		}
		d.client.Store(&c)
	}
	ctx, cancel := context.WithTimeout(ctx, pollEvery)
	defer cancel()
	list, err := c.Do(ctx, c.B().Xrange().Key(d.purges()).Start(d.seen).End("+").Build()).AsXRange()
	if err != nil {
		return
	}
	for _, e := range list {
		d.seen = "(" + e.ID
		at, err := strconv.ParseInt(e.FieldValues["at"], 10, 64)
		if err != nil {
			continue
		}
		var of *owner
		if whose, err := hex.DecodeString(e.FieldValues["of"]); err == nil && len(whose) == len(owner{}) {
			of = new(owner(whose))
		} else if e.FieldValues["of"] != "" {
			continue
		}
		d.follow(of, time.Unix(0, at))
	}
}

func (d *remote) bytes() int64 { return 0 }

func (d *remote) close() error {
	if c := d.client.Swap(nil); c != nil {
		(*c).Close()
	}
	return nil
}

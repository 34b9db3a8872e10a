package rules_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/weir-gateway/weir/internal/etcdtest"
	"github.com/weir-gateway/weir/internal/rules"
)

// cluster is an etcd of one, an operator's client of it, and whoever takes its
// rules over.
type cluster struct {
	*testing.T
	*taker
	*etcdtest.Server
	op  *clientv3.Client
	cfg rules.EtcdConfig
	src *rules.Etcd
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{T: t, taker: newTaker(), Server: etcdtest.Start(t)}
	c.cfg = rules.EtcdConfig{Endpoints: []string{c.Endpoint()}, Prefix: "/r"}
	c.operate(clientv3.Config{})
	return c
}

// operate connects the operator anew.
func (c *cluster) operate(cfg clientv3.Config) {
	c.Helper()
	cfg.Endpoints, cfg.Logger, cfg.DialTimeout = []string{c.Endpoint()}, zap.NewNop(), 10*time.Second
	op, err := clientv3.New(cfg)
	c.must(err)
	c.op = op
	c.Cleanup(func() { op.Close() })
}

func (c *cluster) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// put writes pairs of a name and a text in one transaction.
func (c *cluster) put(pairs ...string) int64 {
	c.Helper()
	var ops []clientv3.Op
	for i := 0; i < len(pairs); i += 2 {
		ops = append(ops, clientv3.OpPut("/r/"+pairs[i], pairs[i+1]))
	}
	resp, err := c.op.Txn(c.Context()).Then(ops...).Commit()
	c.must(err)
	return resp.Header.Revision
}

func (c *cluster) follow() (stop func()) {
	c.Helper()
	c.src = rules.NewEtcd(c.cfg, c.apply, c.log())
	return running(c.T, c.src)
}

func TestEtcd(t *testing.T) {
	c := newCluster(t)
	c.put("flow.json", `[1]`, "hotspot.json", `[1]`)
	_, err := c.op.Put(t.Context(), "/rules-of-another", `[`) // another prefix
	c.must(err)
	c.follow()
	c.wants(t, set{"flow.json": `[1]`, "hotspot.json": `[1]`})

	c.put("flow.json", `[2]`)
	c.wants(t, set{"flow.json": `[2]`, "hotspot.json": `[1]`})
	c.put("flow.json", `[3]`, "hotspot.json", `[3]`, "system.json", `[3]`) // one set
	c.wants(t, set{"flow.json": `[3]`, "hotspot.json": `[3]`, "system.json": `[3]`})
	_, err = c.op.Delete(t.Context(), "/r/hotspot.json")
	c.must(err)
	c.wants(t, set{"flow.json": `[3]`, "system.json": `[3]`})

	c.put("flow.json", bad)
	c.logged(t, "the old ones stay", "a bad rule")
	c.put("system.json", `[4]`, "strange.json", `[]`)
	c.logged(t, "strange.json")
	if c.src.Err() == nil {
		t.Error("its state does not tell of a bad rule")
	}
	c.src.Reload()
	c.logged(t, "the old ones stay", "a bad rule")
	c.put("flow.json", `[4]`)
	c.wants(t, set{"flow.json": `[4]`, "system.json": `[4]`})
	if err := c.src.Err(); err != nil {
		t.Errorf("its state is %v", err)
	}
	_, err = c.op.Delete(t.Context(), "/r/", clientv3.WithPrefix())
	c.must(err)
	c.wants(t, set{})
}

func TestEtcdCrashes(t *testing.T) {
	c := newCluster(t)
	c.follow()
	c.wants(t, set{})
	c.put("flow.json", `[1]`)
	c.wants(t, set{"flow.json": `[1]`})
	c.Kill()
	c.logged(t, "cannot be followed", "the last rules stay")
	if err := c.src.Err(); err == nil || !strings.Contains(err.Error(), "the last rules stay") {
		t.Errorf("its state is %v", err)
	}
	c.Up(t)
	c.logged(t, "followed again")
	c.operate(clientv3.Config{})
	c.put("flow.json", `[2]`)
	c.wants(t, set{"flow.json": `[2]`}) // and no set for what it had before
	if err := c.src.Err(); err != nil {
		t.Errorf("its state is %v", err)
	}
}

// TestEtcdForgets: while Weir cannot reach etcd, the rules change and their
// history is dropped.
func TestEtcdForgets(t *testing.T) {
	c := newCluster(t)
	c.follow()
	c.wants(t, set{})
	c.put("flow.json", `[1]`, "system.json", `[1]`)
	c.wants(t, set{"flow.json": `[1]`, "system.json": `[1]`})
	here := c.Address
	c.Kill()
	c.logged(t, "cannot be followed")
	c.Address = etcdtest.Free(t)
	c.Up(t)
	c.operate(clientv3.Config{})
	c.put("flow.json", `[2]`)
	revision := c.put("flow.json", `[3]`)
	_, err := c.op.Delete(t.Context(), "/r/system.json")
	c.must(err)
	_, err = c.op.Compact(t.Context(), revision+1, clientv3.WithCompactPhysical())
	c.must(err)
	c.Kill()
	c.Address = here
	c.Up(t)
	c.logged(t, "followed again")
	c.wants(t, set{"flow.json": `[3]`})
	c.operate(clientv3.Config{})
	c.put("flow.json", `[4]`)
	c.wants(t, set{"flow.json": `[4]`})
}

func TestEtcdWithPassword(t *testing.T) {
	c := newCluster(t)
	c.put("flow.json", `[1]`)
	ctx := t.Context()
	for _, do := range []func() error{
		func() error { _, err := c.op.RoleAdd(ctx, "reader"); return err },
		func() error {
			_, err := c.op.RoleGrantPermission(ctx, "reader", "/r/", clientv3.GetPrefixRangeEnd("/r/"), clientv3.PermissionType(clientv3.PermRead))
			return err
		},
		func() error { _, err := c.op.UserAdd(ctx, "weir", "secret"); return err },
		func() error { _, err := c.op.UserGrantRole(ctx, "weir", "reader"); return err },
		func() error { _, err := c.op.UserAdd(ctx, "root", "root"); return err },
		func() error { _, err := c.op.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := c.op.AuthEnable(ctx); return err },
	} {
		c.must(do())
	}
	c.operate(clientv3.Config{Username: "root", Password: "root"})
	for _, wrong := range []struct{ user, password, prefix, says string }{
		{"", "", "/r", "wants a user name"},
		{"weir", "guessed", "/r", `does not let user "weir"`},
		{"weir", "secret", "/other", "read /other/"},
	} {
		cfg := c.cfg
		cfg.Username, cfg.Password, cfg.Prefix = wrong.user, wrong.password, wrong.prefix
		if err := rules.NewEtcd(cfg, c.apply, c.log()).Start(ctx); err == nil || !strings.Contains(err.Error(), wrong.says) {
			t.Errorf("with %q, %q, %q it starts: %v", wrong.user, wrong.password, wrong.prefix, err)
		}
	}
	c.cfg.Username, c.cfg.Password = "weir", "secret"
	c.follow()
	c.wants(t, set{"flow.json": `[1]`})
	c.put("flow.json", `[2]`)
	c.wants(t, set{"flow.json": `[2]`})
	c.Kill() // it forgets its tokens
	c.logged(t, "cannot be followed")
	c.Up(t)
	c.logged(t, "followed again")
	c.operate(clientv3.Config{Username: "root", Password: "root"})
	c.put("flow.json", `[3]`)
	c.wants(t, set{"flow.json": `[3]`})
}

func TestEtcdOutOfReachAtStart(t *testing.T) {
	c := newCluster(t)
	c.put("flow.json", `[1]`)
	c.cfg.Memory = filepath.Join(t.TempDir(), "data", "rules.json")
	stop := c.follow()
	c.wants(t, set{"flow.json": `[1]`})
	stop()
	c.Kill()

	stop = c.follow() // with what it remembers
	c.wants(t, set{"flow.json": `[1]`})
	c.logged(t, "cannot be followed", "starting with the rules of 20", "connection refused")
	stop()
	c.cfg.Prefix = "/other" // these are not its rules
	stop = c.follow()
	c.logged(t, "starting with the default rules", "connection refused")
	stop()
	c.cfg.Prefix, c.cfg.Memory = "/r", ""
	c.follow()
	c.logged(t, "starting with the default rules")
	c.Up(t)
	c.logged(t, "followed again")
	c.wants(t, set{"flow.json": `[1]`})
}

func TestEtcdUnderTLS(t *testing.T) {
	ca, cert, key := writeCertificates(t)
	s := etcdtest.New(t)
	s.Scheme, s.Args = "https", []string{"--cert-file=" + cert, "--key-file=" + key, "--client-cert-auth", "--trusted-ca-file=" + ca}
	s.Up(t)
	c := &cluster{T: t, taker: newTaker(), Server: s}
	c.cfg = rules.EtcdConfig{Endpoints: []string{s.Endpoint() + "/"}, Prefix: "/r", Files: rules.Files{CA: ca, Cert: cert, Key: key}}
	c.follow()
	c.wants(t, set{})
	pair, err := tls.LoadX509KeyPair(cert, key)
	c.must(err)
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(ca)
	c.must(err)
	roots.AppendCertsFromPEM(pem)
	c.operate(clientv3.Config{TLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}})
	c.put("flow.json", `[1]`)
	c.wants(t, set{"flow.json": `[1]`})

	stranger := newTaker()
	cfg := c.cfg
	cfg.Files = rules.Files{}
	c.must(rules.NewEtcd(cfg, stranger.apply, stranger.log()).Start(t.Context()))
	stranger.logged(t, "starting with the default rules", "certificate signed by unknown authority")
	cfg.Files = rules.Files{CA: key}
	if err := rules.NewEtcd(cfg, stranger.apply, stranger.log()).Start(t.Context()); err == nil {
		t.Error("it starts with a key for a certificate of an authority")
	}
}

// writeCertificates makes an authority, and a certificate for both ends.
func writeCertificates(t *testing.T) (ca, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	make := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			signer = own
		}
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &own.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		return own, der
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	signer, der := make(root, root, nil)
	ca = write("ca.pem", "CERTIFICATE", der)
	own, der := make(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "etcd"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, root, signer)
	cert = write("cert.pem", "CERTIFICATE", der)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		t.Fatal(err)
	}
	return ca, cert, write("key.pem", "PRIVATE KEY", pkcs8)
}

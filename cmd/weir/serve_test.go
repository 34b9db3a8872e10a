package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	request = `{"model":"claude-haiku-4-5","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`
	answer  = `{"id":"msg_1","type":"message","usage":{"input_tokens":9,"output_tokens":3}}`
	begin   = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0}\n\n"
	end = "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":3}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
)

var streamed = strings.Replace(request, "{", `{"stream":true,`, 1)

func noEnvironment(string) string { return "" }

// running is a weir serve in this process.
type running struct {
	data, admin string
	stop        context.CancelFunc
	exit        chan int
	lines       *bufio.Scanner // of its stderr
}

// start runs weir serve until its addresses are printed.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	r := &running{stop: cancel, exit: make(chan int, 1), lines: bufio.NewScanner(out)}
	go func() {
		r.exit <- run(ctx, env{strings.NewReader(""), io.Discard, in, noEnvironment}, append([]string{"serve"}, args...))
		in.Close()
	}()
	t.Cleanup(cancel)
	r.data = r.line(t, "weir: data plane ")
	if !strings.Contains(strings.Join(args, " "), "--admin off") {
		r.admin = r.line(t, "weir: admin plane ")
	}
	r.line(t, "weir: upstream ")
	return r
}

// line reads on until a line begins with prefix and returns the rest of it.
func (r *running) line(t *testing.T, prefix string) string {
	t.Helper()
	for r.lines.Scan() {
		if rest, ok := strings.CutPrefix(r.lines.Text(), prefix); ok {
			return rest
		}
	}
	t.Fatalf("it never said %q", prefix)
	return ""
}

// ended reads the rest of stderr and returns the exit code.
func (r *running) ended() int {
	for r.lines.Scan() {
	}
	return <-r.exit
}

func post(t *testing.T, client *http.Client, url, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "sk-ant-api-test")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestServeDrains(t *testing.T) {
	release := make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, begin)
		w.(http.Flusher).Flush()
		<-release
		io.WriteString(w, end)
	}))
	defer api.Close()
	weir := start(t, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", api.URL)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	status := func() int {
		resp, err := client.Get(weir.admin + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := status(); got != 200 {
		t.Errorf("/readyz is %d before the end, want 200", got)
	}
	under := post(t, client, weir.data+"/v1/messages", streamed)
	first := make([]byte, len(begin))
	if _, err := io.ReadFull(under.Body, first); err != nil {
		t.Fatal(err)
	}

	weir.stop()
	weir.line(t, "weir: draining")
	for deadline := time.Now().Add(10 * time.Second); status() != 503; {
		if time.Now().After(deadline) {
			t.Fatal("/readyz never turned 503")
		}
	}
	resp, err := client.Post(weir.data+"/v1/messages", "application/json", strings.NewReader(request))
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("a new call got %s, want 503 or a refused connection", resp.Status)
		}
	}
	close(release)
	rest, err := io.ReadAll(under.Body)
	if err != nil || string(first)+string(rest) != begin+end {
		t.Errorf("the stream under way ended with %q (%v)", rest, err)
	}
	if code := weir.ended(); code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestServeCutsOffWhatOutlastsTheDrain(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, begin)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer api.Close()
	weir := start(t, "--listen", "127.0.0.1:0", "--admin", "off", "--upstream", api.URL, "--drain", "10ms")
	under := post(t, http.DefaultClient, weir.data+"/v1/messages", streamed)
	weir.stop()
	if code := weir.ended(); code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}
	got, _ := io.ReadAll(under.Body) // its end is an error, or an error event
	if strings.Contains(string(got), "message_stop") {
		t.Errorf("the cut-off stream seems whole: %q", got)
	}
}

func TestServeRefusesToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	wrong := filepath.Join(t.TempDir(), "weir.yaml")
	os.WriteFile(wrong, []byte("lissten: 127.0.0.1:1\nupstream: api\nqueue:\n  max_waiting: -5\n"), 0o600)
	short := filepath.Join(t.TempDir(), "short.yaml")
	os.WriteFile(short+".token", []byte("guess me"), 0o600)
	os.WriteFile(short, []byte("admin_token: file:"+short+".token\n"), 0o600)
	secret := filepath.Join(t.TempDir(), "secret.yaml")
	os.WriteFile(secret, []byte("keys: [{name: a, key: env:WEIR_NOT_SET}]\nclients: [{name: b, token: file:/nonexistent}]\n"), 0o600)
	for _, c := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"short-admin-token", []string{"--config", short, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, exitFailed, []string{"admin_token", "8 characters", "weir: hint: ", "openssl"}},
		{"open-admin", []string{"--admin", "0.0.0.0:0"}, exitFailed, []string{"look into the gateway", "admin_token", "behind_tls_proxy"}},
		{"port-taken", []string{"--listen", taken.Addr().String()}, exitFailed, []string{"weir: error: ", "address already in use", "weir: hint: ", "--listen"}},
		{"admin-port-taken", []string{"--listen", "127.0.0.1:0", "--admin", taken.Addr().String()}, exitFailed, []string{"address already in use", "weir: hint: "}},
		{"unknown-flag", []string{"--lissten", "x"}, exitUsage, []string{"unknown flag: --lissten", "weir: hint: run \"weir serve --help\""}},
		{"bad-duration", []string{"--drain", "soon"}, exitUsage, []string{"--drain", "weir: hint: "}},
		{"stray-argument", []string{"now"}, exitUsage, []string{"now", "weir: hint: "}},
		{"no-secrets", []string{"--config", secret}, exitFailed, []string{"keys[0].key: the environment variable WEIR_NOT_SET is empty", "clients[0].token: ", "/nonexistent"}},
		{"no-such-file", []string{"--config", "/nonexistent.yaml"}, exitFailed, []string{"/nonexistent.yaml"}},
		{"three-mistakes", []string{"--config", wrong}, exitFailed, []string{"lissten", "upstream", "queue.max_waiting"}},
		{"open-to-the-world", []string{"--listen", "0.0.0.0:0"}, exitFailed, []string{"everybody who reaches", "clear text", "127.0.0.1"}},
		{"no-such-command", nil, exitUsage, []string{"unknown command"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stderr strings.Builder
			args := append([]string{"serve"}, c.args...)
			if c.args == nil {
				args = []string{"surve"}
			}
			code := run(t.Context(), env{strings.NewReader(""), io.Discard, &stderr, noEnvironment}, args)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, want := range c.says {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("it does not say %q:\n%s", want, stderr.String())
				}
			}
		})
	}
}

// writeCertificate saves the certificate of httptest and its key.
func writeCertificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	defer srv.Close()
	pair := srv.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600)
	os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	roots = x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return cert, key, roots
}

func TestServeSpeaksHTTP2(t *testing.T) {
	cert, key, roots := writeCertificate(t)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), `"stream":true`) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, begin)
			w.(http.Flusher).Flush()
			io.WriteString(w, end)
			return
		}
		io.WriteString(w, answer)
	}))
	defer api.Close()
	for name, secure := range map[string]bool{"clear-prior-knowledge": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "weir.yaml")
			text := fmt.Sprintf("listen: 127.0.0.1:0\nadmin: off\nupstream: %s\n", api.URL)
			if secure {
				text += fmt.Sprintf("tls: {cert: %q, key: %q}\n", cert, key)
			}
			os.WriteFile(file, []byte(text), 0o600)
			weir := start(t, "--config", file, "--admin", "off")
			transport := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{RootCAs: roots}}
			transport.Protocols.SetHTTP2(true)
			transport.Protocols.SetUnencryptedHTTP2(true)
			client := &http.Client{Transport: transport}
			for body, want := range map[string]string{request: answer, streamed: begin + end} {
				resp := post(t, client, weir.data+"/v1/messages", body)
				got, err := io.ReadAll(resp.Body)
				if err != nil || string(got) != want || resp.ProtoMajor != 2 {
					t.Errorf("over %s: %q, %v", resp.Proto, got, err)
				}
			}
			transport.CloseIdleConnections()
			weir.stop()
			if code := weir.ended(); code != exitOK {
				t.Errorf("exit code %d, want 0", code)
			}
		})
	}
}

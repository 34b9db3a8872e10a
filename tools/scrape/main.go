// Command scrape looks at a gateway with the eyes of a real Prometheus: it
// starts weir sim, weir serve and prometheus on free loopback ports, sends a
// few calls, and asks Prometheus what it has seen: that the target is up, that
// the documented metrics have values, that the alert rules evaluate, and that
// an alert comes when the gateway is gone.
//
//	scrape -root DIR -bin weir [-prometheus prometheus]
//
// It takes some 15 s, and ends after two minutes at the latest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const (
	patience = 2 * time.Minute
	calls    = 8
)

func main() {
	root := flag.String("root", ".", "the repository")
	bin := flag.String("bin", "", "the weir binary")
	prometheus := flag.String("prometheus", "prometheus", "the Prometheus server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := os.MkdirTemp("", "weir-scrape")
	if err == nil {
		err = run(ctx, *root, *bin, *prometheus, dir)
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scrape: error:", err)
		os.Exit(1)
	}
}

// run starts the three, and looks.
func run(ctx context.Context, root, bin, prometheus, dir string) error {
	sim, err := start(ctx, dir, "sim", bin, "sim", "--listen", "127.0.0.1:0", "--tier", "build")
	if err != nil {
		return err
	}
	defer sim.stop()
	upstream, err := sim.says(ctx, `http://127\.0\.0\.1:\d+`)
	if err != nil {
		return err
	}
	config, err := everything(dir)
	if err != nil {
		return err
	}
	gateway, err := start(ctx, dir, "weir", bin, "serve", "--config", config, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", upstream)
	if err != nil {
		return err
	}
	defer gateway.stop()
	data, err := gateway.says(ctx, `data plane (http://127\.0\.0\.1:\d+)`)
	if err != nil {
		return err
	}
	admin, err := gateway.says(ctx, `admin plane http://(127\.0\.0\.1:\d+)`)
	if err != nil {
		return err
	}
	if err := talk(ctx, data); err != nil {
		return err
	}
	server, err := startPrometheus(ctx, prometheus, root, dir, admin)
	if err != nil {
		return err
	}
	defer server.stop()
	address, err := server.says(ctx, `Listening on" address=(127\.0\.0\.1:\d+)`)
	if err != nil {
		return err
	}
	p := reader{url: "http://" + address}
	metrics, err := documented(root)
	if err != nil {
		return err
	}
	if err := p.looksWell(ctx, metrics); err != nil {
		return err
	}
	gateway.stop()
	return p.alarm(ctx)
}

// everything writes a configuration with whatever has metrics of its own.
func everything(dir string) (file string, err error) {
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("sk-ant-api03-scrape"), 0o600); err != nil {
		return "", err
	}
	text := fmt.Sprintf("data: %q\nkeys: [{name: main, key: %q}]\nbudgets: [{name: month, limit: 100, period: month}]\n"+
		"cache: {default: on, disk: {}, prompt: {enable: true}}\nqueue: {batches: {collect: true}}\n"+
		"degrade: {ladder: [{rung: max_tokens, max_tokens: 10, enter: class == \"batch\"}]}\n", filepath.Join(dir, "gateway"), "file:"+key)
	file = filepath.Join(dir, "weir.yaml")
	return file, os.WriteFile(file, []byte(text), 0o600)
}

// startPrometheus lets it scrape the admin plane every second, with the rules
// that operators get.
func startPrometheus(ctx context.Context, prometheus, root, dir, admin string) (*process, error) {
	rules, err := filepath.Abs(filepath.Join(root, "deploy/prometheus/rules.yaml"))
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "prometheus.yaml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: weir, static_configs: [{targets: [%q]}]}]\n", rules, admin)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return start(ctx, dir, "prometheus", prometheus, "--config.file="+config, "--web.listen-address=127.0.0.1:0",
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--log.level=info")
}

// talk sends a few calls through the gateway, half of them streams. Each is sent
// twice, for the cache; the last two are of class batch, for the ladder.
func talk(ctx context.Context, gateway string) error {
	for i := range calls {
		body := fmt.Sprintf(`{"model":"claude-haiku-4-5","max_tokens":20,"stream":%t,"messages":[{"role":"user","content":"hello %d"}]}`, i%2 == 0, i/2)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, gateway+"/v1/messages", strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("X-Api-Key", "sk-ant-api03-scrape")
		req.Header.Set("Anthropic-Version", "2023-06-01")
		if i >= calls-2 {
			req.Header.Set("Weir-Class", "batch")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		said, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Errorf("call %d: %s %v %.300s", i, resp.Status, err, said)
		}
	}
	return nil
}

// untroubled are the metrics that have no series where nothing goes wrong and
// no rule is set.
var untroubled = map[string]bool{
	"weir_key_blocked": true, "weir_breaker_state": true, "weir_breaker_changes_total": true, "weir_rule_refused_total": true,
	"weir_warnings": true, "weir_webhook_total": true, "weir_budget_refused_total": true,
	"weir_ledger_difference_usd": true,
}

// documented lists the metrics of docs/operations/metrics.md that a gateway
// without trouble has. The expression of a histogram is its count.
func documented(root string) (list []string, err error) {
	raw, err := os.ReadFile(filepath.Join(root, "docs/operations/metrics.md"))
	if err != nil {
		return nil, err
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(weir_\\w+)` \\| (\\w+)").FindAllStringSubmatch(string(raw), -1) {
		switch {
		case untroubled[row[1]]:
		case row[2] == "histogram":
			list = append(list, row[1]+"_count")
		default:
			list = append(list, row[1])
		}
	}
	if len(list) < 15 {
		return nil, fmt.Errorf("docs/operations/metrics.md lists only %d metrics", len(list))
	}
	return list, nil
}

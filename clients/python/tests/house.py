"""Programs that the tests start: weir, its simulator, and Streamlit apps. Each is ended by whoever started it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
PATIENCE = 60  # seconds that a program may take to start on a busy machine


def weir():
    """The binary: WEIR_BIN, or the one on the PATH."""
    return os.environ.get("WEIR_BIN") or shutil.which("weir") or str(ROOT / ".cache/bin/weir")


class Program:
    """A process whose output goes to a file."""

    def __init__(self, log, args, env=None):
        self.log = Path(log)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC_", "WEIR_"))}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                args, stdout=out, stderr=subprocess.STDOUT, env={**clean, "NO_COLOR": "1", **(env or {})}
            )

    def said(self, *patterns):
        """Wait until it has said all patterns, and return the first group of each."""
        return eventually(lambda: self._found(patterns), f"{patterns} in {self.log}")

    def _found(self, patterns):
        text = self.log.read_text(errors="replace")
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}:\n{text}")
        found = [re.search(p, text) for p in patterns]
        return [m[1] for m in found] if all(found) else None

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def eventually(look, what, seconds=PATIENCE):
    """Poll until look returns something true, and return that."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return found


def start_sim(folder, scenario):
    sim = Program(folder / "sim.log", [weir(), "sim", "--listen", "127.0.0.1:0", "--scenario", str(scenario)])
    (sim.url,) = sim.said(r"(http://127\.0\.0\.1:\d+)")
    return sim


def start_weir(folder, upstream, *args):
    gateway = Program(
        folder / "weir.log",
        [weir(), "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", upstream, *args],
    )
    gateway.url, gateway.admin = gateway.said(
        r"data plane\D*(http://127\.0\.0\.1:\d+)", r"admin plane\D*(http://127\.0\.0\.1:\d+)"
    )
    return gateway


def start_app(folder, script, env, *args):
    """Start Streamlit with a script; args replace ``run SCRIPT`` for apps that are started otherwise."""
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", "0",
               "--server.address", "127.0.0.1", "--server.headless", "true", "--server.fileWatcherType", "none",
               "--browser.gatherUsageStats", "false"]  # fmt: skip
    app = Program(folder / "app.log", [*command, *args], env)
    (app.url,) = app.said(r"URL: (http://127\.0\.0\.1:\d+)")
    eventually(lambda: _healthy(app.url), f"{app.url} answers")
    return app


def _healthy(url):
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False

"""Programs that the tests start: weir, its simulator, and Streamlit apps. Each is ended by whoever started it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
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

    def alive(self):
        """True; it fails the test if the program has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}:\n{self.log.read_text(errors='replace')}")
        return True

    def _found(self, patterns):
        self.alive()
        text = self.log.read_text(errors="replace")
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


@contextmanager
def stopped_if_it_fails(program):
    try:
        yield program
    except BaseException:
        program.stop()
        raise


def start_sim(folder, scenario):
    args = [weir(), "sim", "--listen", "127.0.0.1:0", "--scenario", str(scenario)]
    with stopped_if_it_fails(Program(folder / "sim.log", args)) as sim:
        (sim.url,) = sim.said(r"(http://127\.0\.0\.1:\d+)")
    return sim


def start_weir(folder, upstream, *args):
    args = [weir(), "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", upstream, *args]
    with stopped_if_it_fails(Program(folder / "weir.log", args)) as gateway:
        gateway.url, gateway.admin = gateway.said(
            r"data plane\D*(http://127\.0\.0\.1:\d+)", r"admin plane\D*(http://127\.0\.0\.1:\d+)"
        )
    return gateway


def start_app(folder, script, env):
    """Start Streamlit with a script."""
    port = free_port()
    args = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port),
            "--server.address", "127.0.0.1", "--server.headless", "true", "--server.fileWatcherType", "none",
            "--browser.gatherUsageStats", "false"]  # fmt: skip
    with stopped_if_it_fails(Program(folder / "app.log", args, env)) as app:
        app.url = f"http://127.0.0.1:{port}"
        eventually(lambda: app.alive() and _healthy(app.url), f"{app.url} answers")
    return app


def free_port():
    """A port that nobody has now. Old versions of Streamlit do not tell which they took for port 0."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _healthy(url):
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False

"""A stand-in for the API that answers what a test has planned, over a real socket."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def error(status, kind, message, code=None, weir=None, **headers):
    """An answer that refuses; underscores in the names of headers stand for hyphens."""
    details = {}
    if code:
        details["error_code"] = code
    if weir:
        details["weir"] = weir
    body = {
        "type": "error",
        "error": {"type": kind, "message": message, "details": details or None},
        "request_id": "req_1",
    }
    return status, {k.replace("_", "-"): str(v) for k, v in headers.items()}, json.dumps(body).encode()


def message(text="Hello.", stop="end_turn", **headers):
    body = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
    }
    return 200, {k.replace("_", "-"): str(v) for k, v in headers.items()}, json.dumps(body).encode()


def broken_stream(kind, text):
    """A stream that begins and then fails."""
    start = {
        "type": "message_start",
        "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 1},
        },
    }  # fmt: skip
    fault = {"type": "error", "error": {"type": kind, "message": text, "details": None}, "request_id": "req_1"}
    events = [("message_start", start), ("error", fault)]
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    return 200, {"content-type": "text/event-stream"}, body.encode()


class Stub:
    """Answers with ``answers`` in turn, and the last of them for good. ``requests`` are those received."""

    def __init__(self):
        self.answers = [message()]
        self.requests = []
        self.headers = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                stub.requests.append(body)
                stub.headers.append({k.lower(): v for k, v in self.headers.items()})
                answer = stub.answers.pop(0) if len(stub.answers) > 1 else stub.answers[0]
                status, headers, text = answer(body) if callable(answer) else answer
                self.send_response_only(status)  # without the date of today
                for name, value in {"content-type": "application/json", "request-id": "req_1", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

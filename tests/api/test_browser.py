"""The two pages of the documentation in a real browser, from the package's own files alone."""

from __future__ import annotations

import hashlib
import http.client
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import aurite.api
from tests.api.server import KEY, Service

STATIC = Path(aurite.api.__file__).parent / "static"
PUBLISHED = {
    "redoc.standalone.js": "dcaf76612bc4a3fbcc923a8966dee2f6146a5f32e5ce1b6f02dd60cbbf89500b",
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
}
"""What was taken out of redoc 2.5.4 and of swagger-ui-dist, and seen in a browser."""
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=20000",
]


@contextmanager
def with_key(port: int) -> Iterator[int]:
    """The port of a door in front of the service that shows the key, as a browser does once its user has given it."""

    class Door(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            inner = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            inner.request("GET", self.path, headers={"X-API-Key": KEY})
            answer = inner.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name in ("Content-Type", "Content-Security-Policy"):
                if answer.headers[name]:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            inner.close()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door) as door:
        thread = threading.Thread(target=door.serve_forever)
        thread.start()
        yield door.server_address[1]
        door.shutdown()
        thread.join()


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_files_of_the_pages_are_whole(name: str) -> None:
    assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == PUBLISHED[name]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here; .ci/run installs one where it can")
@pytest.mark.parametrize("page", ["api-docs", "redoc"])
def test_a_page_shows_the_operations_of_the_service(service: Service, page: str, tmp_path: Path) -> None:
    with with_key(service.client.port) as port:
        shown = subprocess.run(
            [str(BROWSER), *QUIET, f"--user-data-dir={tmp_path}/browser", "--dump-dom", f"http://127.0.0.1:{port}/{page}"],
            check=True,
            capture_output=True,
            text=True,
            timeout=90,
        )
    assert "/execution/history" in shown.stdout
    assert "Uncaught" not in shown.stderr

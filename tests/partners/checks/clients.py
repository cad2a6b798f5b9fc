"""Every client program against Node's TLS server, with the right CA and with a wrong one."""

import hashlib
import json
import tempfile
from pathlib import Path

from checks import harness
from checks.harness import HERE, backend, run
from checks.sites import content

CLIENTS = ("clients/node-client.cjs", "clients/python-client.py", "clients/JavaClient.java")
WEB_SOCKETS = ("clients/node-ws.cjs", "clients/python-ws.py")
PAGE = (HERE / "backends/page.html").read_text()
BODY = content(100 << 20, "client")


def check():
    with backend("node", "tls") as site, backend("node", "tls") as stranger, tempfile.NamedTemporaryFile() as body:
        body.write(BODY)
        body.flush()
        port = site.address.split(":")[1]
        for client in CLIENTS:
            for version in ("--http1", "--http2"):
                check_requests(client, version, f"https://localhost:{port}", site.folder / "ca.pem", Path(body.name))
            code, _ = run(client, "--ca", str(stranger.folder / "ca.pem"), f"https://localhost:{port}/page")
            harness.check(f"{client}: refuses a certificate of another CA", code != 0)
            code, _ = run(client, "--ca", str(site.folder / "ca.pem"), "--address", "127.0.0.1", f"https://wx.test:{port}/page")
            harness.check(f"{client}: refuses a certificate of another name", code != 0)
        for client in WEB_SOCKETS:
            check_web_socket(client, f"wss://localhost:{port}/ws", "--ca", str(site.folder / "ca.pem"))
            code, _ = run(client, "--ca", str(stranger.folder / "ca.pem"), f"wss://localhost:{port}/ws")
            harness.check(f"{client}: refuses a certificate of another CA", code != 0)
    with backend("python-ws") as echo:
        for client in WEB_SOCKETS:
            check_web_socket(client, f"ws://{echo.address}/")


def check_requests(client, version, origin, ca, body):
    trust, label = ("--ca", str(ca), version), f"{client} {version}"
    code, got = run(client, *trust, f"{origin}/page?a=1", "--header", "X-A: b")
    cookies = [value for name, value in got.get("headers", []) if name.lower() == "set-cookie"]
    good = code == 0 and (got["status"], got["body"], got["bytes"]) == (200, PAGE, len(PAGE.encode()))
    good = good and got["version"] == {"--http1": "1.1", "--http2": "2"}[version] and cookies == ["a=1; Path=/", "b=2; Path=/"]
    harness.check(f"{label}: page", good and got["body_sha256"] == hashlib.sha256(PAGE.encode()).hexdigest(), got)

    _, got = run(client, *trust, f"{origin}/upload", "--method", "POST", "--body-file", str(body))
    sum_ = hashlib.sha256(BODY).hexdigest()
    harness.check(f"{label}: upload of 100 MiB", json.loads(got.get("body") or "{}").get("sha256") == sum_, got)

    _, got = run(client, *trust, f"{origin}/download?bytes={len(BODY)}&seed=client")
    harness.check(f"{label}: download of 100 MiB", (got.get("body_sha256"), got.get("body")) == (sum_, None), got)

    _, got = run(client, *trust, f"{origin}/gzip")
    packed = ["gzip"] == [value for name, value in got.get("headers", []) if name.lower() == "content-encoding"]
    harness.check(f"{label}: leaves gzip packed", packed and got["body"] is None, got)

    _, got = run(client, *trust, f"{origin}/page", "--method", "HEAD")
    harness.check(f"{label}: HEAD", (got.get("status"), got.get("bytes")) == (200, 0), got)


def check_web_socket(client, url, *trust):
    label = f"{client} {url.split(':')[0]}"
    messages = ("--text", "你好", "--binary-size", "70000", "--text-size", "1000000", "--binary-size", "0", "--close", "4001")
    code, got = run(client, *trust, url, *messages)
    types = [(echo["type"], echo["equal"]) for echo in got.get("echoes", [])]
    good = types == [("text", True), ("binary", True), ("text", True), ("binary", True)]
    harness.check(f"{label}: echoes of text and binary, own close code", code == 0 and good and got["close_code"] == 4001, got)
    _, got = run(client, *trust, url, "--text", "a", "--text", "close 4002 bye", "--text", "b")
    closed = (len(got.get("echoes", [])), got.get("close_code"), got.get("close_reason"))
    harness.check(f"{label}: the server's close code", closed == (1, 4002, "bye"), got)

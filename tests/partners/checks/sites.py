"""Every route of every site, asked by curl."""

import gzip
import hashlib
import json
import select
import subprocess
import tempfile
import time

from checks.harness import HERE, backend, by_sigkill, by_stdin, check, header

PAGE = (HERE / "backends/page.html").read_bytes()
MIB = 1 << 20
BIG = 100 * MIB
SITES = {
    "php-fpm-nginx": ("tcp", "unix"),
    "php-builtin": (None,),
    "php-apache": (None,),
    "tomcat": ("tcp", "unix"),
    "jetty": (None,),
    "node": ("tcp", "unix"),
    "python": ("tcp", "unix"),
}
# PHP starts a script when the whole body is there, but for Apache's.
ANSWERS_EARLY = {"php-apache", "tomcat", "jetty", "node", "python"}
# PHP's built-in server ends a body of unknown length by closing.
KNOWS_CHUNKED = set(SITES) - {"php-builtin"}


def check_site(name):
    for listen in SITES[name]:
        arguments = [listen] if listen else []
        with backend(name, *arguments) as site:
            for route in ROUTES:
                label = " ".join([name, *arguments, route.__name__.replace("_", " ")])
                try:
                    good, detail = route(site, name)
                except Exception as error:
                    good, detail = False, repr(error)
                check(label, good, str(detail)[:300])
    for end in (by_stdin, by_sigkill):
        with backend(name, end=end):
            pass


GROUPS = {name: lambda name=name: check_site(name) for name in SITES}


def block(seed):
    return b"".join(hashlib.sha256(f"{seed}:{i}".encode()).digest() for i in range(2048))


def content(size, seed):
    return (block(seed) * (size // 65536 + 1))[:size]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


BIG_BODY = content(BIG, "up")
BIG_SHA = sha256(BIG_BODY)


def page(site, _):
    status, headers, body = site.curl("/page")
    cookies = header(headers, "Set-Cookie")
    kind = header(headers, "Content-Type")[0].lower().replace(" ", "")
    return status == 200 and body == PAGE and cookies == ["a=1; Path=/", "b=2; Path=/"] and kind == "text/html;charset=utf-8", headers


def head_page(site, _):
    status, headers, _ = site.curl("/page", "--head")
    return status == 200 and header(headers, "Content-Length") == [str(len(PAGE))] and len(header(headers, "Set-Cookie")) == 2, headers


def head_download(site, _):
    status, headers, _ = site.curl(f"/download?bytes={BIG}&seed=1", "--head")
    return status == 200 and header(headers, "Content-Length") == [str(BIG)], headers


def cookies(site, _):
    _, _, body = site.curl("/cookies", "--header", "Cookie: x=1; y=%E4%BD%A0")
    return body == b"x=1; y=%E4%BD%A0", body


def form(site, _):
    _, _, body = site.curl("/form", "--data", "name=%E4%BD%A0%E5%A5%BD&plus=a+b&sign=%2B%26%3D&empty=")
    return json.loads(body) == {"name": "你好", "plus": "a b", "sign": "+&=", "empty": ""}, body


def send(site, *options):
    with tempfile.NamedTemporaryFile() as file:
        file.write(BIG_BODY)
        file.flush()
        _, _, body = site.curl("/upload", *(option.replace("@FILE", f"@{file.name}") for option in options))
    return json.loads(body)


def upload_100_MiB(site, _):
    got = send(site, "--data-binary", "@FILE", "--header", "Content-Type: application/x-test")
    return got == {"bytes": BIG, "sha256": BIG_SHA, "content_type": "application/x-test"}, got


def upload_100_MiB_chunked(site, _):
    options = ("--data-binary", "@FILE", "--header", "Content-Type: application/x-test", "--header", "Transfer-Encoding: chunked")
    got = send(site, *options)
    return got == {"bytes": BIG, "sha256": BIG_SHA, "content_type": "application/x-test"}, got


def upload_100_MiB_multipart(site, _):
    got = send(site, "--form", "note=hello", "--form", "file=@FILE;filename=图.bin")
    good = got["content_type"].startswith("multipart/form-data; boundary=") and got["filename"] == "图.bin"
    return good and (got["bytes"], got["sha256"]) == (BIG, BIG_SHA), got


def upload_empty(site, _):
    _, _, body = site.curl("/upload", "--data-binary", "", "--header", "Content-Type: application/x-test")
    return json.loads(body)["sha256"] == sha256(b""), body


def download_100_MiB(site, _):
    status, headers, body = site.curl(f"/download?bytes={BIG}&seed=up")
    return status == 200 and body == BIG_BODY and header(headers, "Content-Length") == [str(BIG)], headers


def download_odd_size(site, _):
    _, _, body = site.curl("/download?bytes=70001&seed=s")
    return body == content(70001, "s"), len(body)


def download_sha(site, _):
    _, _, body = site.curl(f"/download-sha?bytes={BIG}&seed=up")
    return body.decode() == BIG_SHA, body


def chunked(site, name):
    _, headers, body = site.curl("/chunked")
    framed = header(headers, "Transfer-Encoding") == (["chunked"] if name in KNOWS_CHUNKED else [])
    return framed and not header(headers, "Content-Length") and body == b"".join(b"part %d\n" % i for i in range(1, 6)), headers


def gzip_body(site, _):
    good, bodies = True, set()
    for accept in ("identity", "gzip", "br"):
        _, headers, body = site.curl("/gzip", "--header", f"Accept-Encoding: {accept}")
        good = good and header(headers, "Content-Encoding") == ["gzip"] and header(headers, "Content-Length") == [str(len(body))]
        bodies.add(body)
    return good and len(bodies) == 1 and gzip.decompress(bodies.pop()) == PAGE, headers


def redirect(site, _):
    forwarded = ("--header", "X-Forwarded-Proto: https", "--header", "X-Forwarded-Host: wx.test:8443")
    status, headers, _ = site.curl("/redirect", *forwarded)
    plain_status, plain, _ = site.curl("/redirect", "--header", "Host: a.test")
    places = header(headers, "Location") + header(plain, "Location")
    return status == plain_status == 302 and places == ["https://wx.test:8443/page", "http://a.test/page"], places


def not_modified(site, _):
    status, headers, body = site.curl("/not-modified")
    tag = header(headers, "ETag")
    again, headers, nothing = site.curl("/not-modified", "--header", f"If-None-Match: {tag[0]}")
    other, _, _ = site.curl("/not-modified", "--header", 'If-None-Match: "other"')
    return (status, body, again, nothing, other) == (200, b"version 1\n", 304, b"", 200) and header(headers, "ETag") == tag, headers


def byte_range(site, _):
    whole, wanted = block("range"), {"bytes=100-299": (100, 299), "bytes=65500-": (65500, 65535), "bytes=-10": (65526, 65535)}
    for value, (first, last) in wanted.items():
        status, headers, body = site.curl("/range", "--header", f"Range: {value}")
        place = header(headers, "Content-Range")
        if status != 206 or body != whole[first : last + 1] or place != [f"bytes {first}-{last}/65536"]:
            return False, (value, status, headers)
    status, headers, _ = site.curl("/range", "--header", "Range: bytes=70000-")
    full, _, body = site.curl("/range")
    return status == 416 and header(headers, "Content-Range") == ["bytes */65536"] and full == 200 and body == whole, headers


def events(site, _):
    _, headers, _ = site.curl("/events")
    with subprocess.Popen(site.curl_command("/events", "--no-buffer"), stdout=subprocess.PIPE) as curl:
        began = time.monotonic()
        lines = [(line, time.monotonic() - began) for line in curl.stdout]
    arrived = [at for line, at in lines if line.startswith(b"data:")]
    gaps = [b - a for a, b in zip(arrived, arrived[1:])]
    kind = header(headers, "Content-Type")[0]
    one_by_one = len(arrived) == 5 and arrived[0] < 0.25 and all(0.2 < gap < 0.5 for gap in gaps)
    text = b"".join(line for line, _ in lines)
    wanted = b"".join(b"id: %d\ndata: event %d\n\n" % (i, i) for i in range(1, 6))
    return kind.startswith("text/event-stream") and one_by_one and text == wanted, arrived


def request_headers(site, _):
    _, _, body = site.curl("/headers?q=%e4%BD%A0+%2B&z", "--header", "X-Wx-Test: 1, 2", "--user-agent", "Mozilla/4.0")
    got = json.loads(body)
    pairs = {name.lower(): value for name, value in got["headers"]}
    good = (got["method"], got["target"], got["scheme"]) == ("GET", "/headers?q=%e4%BD%A0+%2B&z", "http")
    return good and pairs["x-wx-test"] == "1, 2" and pairs["user-agent"] == "Mozilla/4.0" and isinstance(got["remote"], str), got


def slow(site, _):
    began = time.monotonic()
    status, _, body = site.curl("/slow?ms=400")
    took = time.monotonic() - began
    return status == 200 and body == b"slow\n" and 0.4 <= took < 2, took


def status(site, name):
    got = []
    # Apache makes 500 of a status that it does not know.
    for code in (200, 201, 204, 404, 500, 503, *(() if name == "php-apache" else (418,))):
        answered, _, body = site.curl(f"/status?code={code}")
        got.append(answered == code and body == (b"" if code == 204 else b"status %d\n" % code))
    return all(got), got


def unknown_page(site, _):
    return site.curl("/nothing")[0] == 404, ""


def echo(site, _):
    with tempfile.NamedTemporaryFile() as file:
        file.write(BIG_BODY[: 20 * MIB])
        file.flush()
        kind = ("--header", "Content-Type: application/x-test")
        _, headers, body = site.curl("/echo", "--data-binary", f"@{file.name}", *kind)
        _, _, again = site.curl("/echo", "--data-binary", f"@{file.name}", *kind, "--header", "Transfer-Encoding: chunked")
    kinds = header(headers, "Content-Type")
    return body == again == BIG_BODY[: 20 * MIB] and kinds == ["application/x-test"], (len(body), len(again), kinds)


def echo_while_it_arrives(site, name):
    """Whether the first 64 KiB come back while the rest has not been sent, as they should where the platform can."""
    piece = BIG_BODY[:65536]
    head = b"POST /echo HTTP/1.1\r\nHost: site\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with site.connect() as sock:
        sock.settimeout(20)
        sock.sendall(head + b"10000\r\n" + piece + b"\r\n")
        early = piece[:1000] in first_bytes(sock)
        sock.sendall(b"0\r\n\r\n")
        while sock.recv(65536):
            pass
    return early == (name in ANSWERS_EARLY), early


def first_bytes(sock):
    """What comes within a second, up to 64 KiB."""
    got = b""
    while len(got) < 65536 and select.select([sock], [], [], 1)[0]:
        got += sock.recv(65536)
    return got


ROUTES = (
    page,
    head_page,
    head_download,
    cookies,
    form,
    upload_100_MiB,
    upload_100_MiB_chunked,
    upload_100_MiB_multipart,
    upload_empty,
    download_100_MiB,
    download_odd_size,
    download_sha,
    chunked,
    gzip_body,
    redirect,
    not_modified,
    byte_range,
    events,
    request_headers,
    slow,
    status,
    unknown_page,
    echo,
    echo_while_it_arrives,
)

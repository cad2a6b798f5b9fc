"""The site of the tests on Flask: site_app.py tcp|unix DIR."""

import gzip as gzip_module
import hashlib
import re
import sys
import time
from pathlib import Path

from flask import Flask, Response, request

from serve import serve

PIECE = 65536
PAGE = (Path(__file__).resolve().parent.parent / "page.html").read_bytes()

app = Flask(__name__)


def text(body, status=200):
    return Response(body, status, content_type="text/plain")


def block(seed):
    return b"".join(hashlib.sha256(f"{seed}:{i}".encode()).digest() for i in range(PIECE // 32))


def pieces(size, seed):
    """The bytes of a download, piece by piece."""
    whole = block(seed)
    for left in range(size, 0, -PIECE):
        yield whole[:left]


def body_pieces():
    """The request body as it arrives."""
    stream = request.stream
    return iter(lambda: stream.read(PIECE), b"")


@app.get("/page")
def page():
    response = Response(PAGE, content_type="text/html; charset=utf-8")
    response.headers.add("Set-Cookie", "a=1; Path=/")
    response.headers.add("Set-Cookie", "b=2; Path=/")
    return response


@app.get("/cookies")
def cookies():
    return Response(request.headers.get("Cookie", ""), content_type="text/plain; charset=utf-8")


@app.post("/form")
def form():
    return request.form.to_dict()


@app.route("/upload", methods=["POST", "PUT"])
def upload():
    file = None
    if request.mimetype == "multipart/form-data":
        file = next(iter(request.files.values()))
    digest, size = hashlib.sha256(), 0
    for piece in iter(lambda: file.stream.read(PIECE), b"") if file else body_pieces():
        digest.update(piece)
        size += len(piece)
    answer = {"bytes": size, "sha256": digest.hexdigest(), "content_type": request.content_type or ""}
    return {**answer, "filename": file.filename} if file else answer


@app.get("/download")
def download():
    size, seed = request.args.get("bytes", 0, int), request.args.get("seed", "0")
    response = Response(pieces(size, seed), content_type="application/octet-stream")
    response.content_length = size
    return response


@app.get("/download-sha")
def download_sha():
    digest = hashlib.sha256()
    for piece in pieces(request.args.get("bytes", 0, int), request.args.get("seed", "0")):
        digest.update(piece)
    return text(digest.hexdigest())


def slowly(content_type, piece, seconds):
    """Sends pieces one by one, each as soon as it is there."""

    def generate():
        for i in range(1, 6):
            yield piece(i)
            time.sleep(seconds)

    return Response(generate(), content_type=content_type)


@app.get("/chunked")
def chunked():
    return slowly("text/plain", lambda i: f"part {i}\n", 0.02)


@app.get("/events")
def events():
    return slowly("text/event-stream", lambda i: f"id: {i}\ndata: event {i}\n\n", 0.3)


@app.get("/gzip")
def gzip():
    packed = gzip_module.compress(PAGE, 9, mtime=0)
    return Response(packed, content_type="text/html; charset=utf-8", headers={"Content-Encoding": "gzip"})


@app.get("/redirect")
def redirect():
    scheme = first(request.headers.get("X-Forwarded-Proto", "http"))
    host = first(request.headers.get("X-Forwarded-Host", request.host))
    response = text("moved\n", 302)
    response.headers["Location"] = f"{scheme}://{host}/page"
    return response


def first(values):
    return values.split(",")[0].strip()


@app.get("/not-modified")
def not_modified():
    same = request.headers.get("If-None-Match") == '"v1"'
    response = Response(status=304) if same else text("version 1\n")
    response.headers["ETag"] = '"v1"'
    return response


@app.get("/range")
def byte_range():
    whole, kind = block("range"), "application/octet-stream"
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", ""))
    if not match:
        return Response(whole, content_type=kind, headers={"Accept-Ranges": "bytes"})
    start, end = match.groups()
    first_byte = int(start) if start else max(0, PIECE - int(end))
    last_byte = min(int(end), PIECE - 1) if start and end else PIECE - 1
    if first_byte > last_byte:
        response = text("no such range\n", 416)
        response.headers["Content-Range"] = f"bytes */{PIECE}"
    else:
        response = Response(whole[first_byte : last_byte + 1], 206, content_type=kind)
        response.headers["Content-Range"] = f"bytes {first_byte}-{last_byte}/{PIECE}"
    response.headers["Accept-Ranges"] = "bytes"
    return response


@app.route("/headers", methods=["GET", "POST"])
def headers():
    return {
        "headers": list(request.headers.items()),
        "method": request.method,
        "target": request.environ["RAW_URI"],
        "remote": request.remote_addr or "",
        "scheme": request.scheme,
    }


@app.get("/slow")
def slow():
    time.sleep(request.args.get("ms", 0, int) / 1000)
    return text("slow\n")


@app.get("/status")
def status():
    code = request.args.get("code", 200, int)
    return Response(status=code) if code in (204, 304) else text(f"status {code}\n", code)


@app.post("/echo")
def echo():
    return Response(body_pieces(), content_type=request.content_type or "application/octet-stream")


if __name__ == "__main__":
    serve(app, *sys.argv[1:])

"""Files below DIR/www/static, which a server hands out by itself: file.bin, 1 MiB that hardly repeats, and a folder."""

import hashlib


def stock(scratch):
    static = scratch / "www" / "static"
    (static / "folder").mkdir(parents=True, exist_ok=True)
    (static / "folder" / "index.html").write_text("a folder\n")
    blocks = (hashlib.sha256(f"file:{number}".encode()).digest() for number in range(1 << 15))
    (static / "file.bin").write_bytes(b"".join(blocks))

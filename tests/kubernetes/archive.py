"""Makes an image that containerd imports: archive.py OUT NAME[,NAME…] ROOT.tar JSON.

JSON is the image's `config`: User, Env, Entrypoint, Cmd, StopSignal. The root becomes its only layer.
"""

import hashlib
import io
import json
import sys
import tarfile

out, names, root, config = sys.argv[1], sys.argv[2].split(","), sys.argv[3], json.loads(sys.argv[4])
digest = hashlib.sha256()
with open(root, "rb") as layer:
    while part := layer.read(1 << 20):
        digest.update(part)
image = json.dumps({"architecture": "amd64", "os": "linux", "config": config,
                    "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest.hexdigest()}"]}}).encode()
name = hashlib.sha256(image).hexdigest() + ".json"
manifest = json.dumps([{"Config": name, "RepoTags": names, "Layers": ["layer.tar"]}]).encode()
with tarfile.open(out, "w") as archive:
    for member, content in ((name, image), ("manifest.json", manifest)):
        entry = tarfile.TarInfo(member)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    archive.add(root, "layer.tar")

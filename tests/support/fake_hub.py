"""What halfstep asks of the Hugging Face Hub, answered by this machine: repositories in memory, one commit each."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def fake_hub() -> Generator[tuple[str, dict[str, dict[str, bytes]]], None, None]:
    """Its address, and its repositories: name -> path -> content."""
    repositories: dict[str, dict[str, bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def said(self, value: object, status: int = 200) -> None:
            self.answer(json.dumps(value).encode(), status, Content_Type="application/json")

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/[^/]+)?", path):
                if (files := repositories.get(match[1])) is None:
                    self.said({"error": "Repository not found"}, 404)
                    return
                siblings = [{"rfilename": name} for name in files]
                self.said({"id": match[1], "sha": COMMIT, "siblings": siblings, "private": False, "tags": []})
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/[^/]+", path):
                self.said([
                    {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                    for name, content in repositories[match[1]].items()
                ])  # fmt: skip
            elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
                content = repositories.get(match[1], {}).get(match[2])
                if content is None:
                    self.answer(b"", 404, X_Error_Code="EntryNotFound")
                    return
                etag = f'"{hashlib.sha1(content).hexdigest()}"'
                self.answer(content, ETag=etag, X_Repo_Commit=COMMIT)
            else:
                self.said({"error": f"not known: {path}"}, 404)

        do_HEAD = do_GET

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            path = self.path.partition("?")[0]
            if path == "/api/repos/create":
                asked = json.loads(body)
                name = f"{asked.get('organization', 'me')}/{asked['name']}"
                repositories.setdefault(name, {})
                self.said({"url": f"{address}/{name}", "id": name})
            elif path == "/api/validate-yaml":
                self.said({"errors": [], "warnings": []})
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/[^/]+", path):
                files = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for one in json.loads(body)["files"]
                ]
                self.said({"files": files})
            elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/[^/]+", path):
                for line in map(json.loads, body.splitlines()):
                    if line["key"] == "file":
                        repositories[match[1]][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                self.said({"commitOid": COMMIT, "commitUrl": f"{address}/{match[1]}/commit/{COMMIT}", "hookOutput": ""})
            else:
                self.said({"error": f"not known: {path}"}, 404)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield address, repositories
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""Serves a WSGI application on gunicorn, on TCP or on a unix socket, and says where it listens."""

from pathlib import Path

from gunicorn.app.base import BaseApplication


class Server(BaseApplication):
    def __init__(self, app, listen, folder):
        self.app, self.folder = app, Path(folder)
        self.address = "127.0.0.1:0" if listen == "tcp" else f"unix:{self.folder / 'python.sock'}"
        super().__init__()

    def load_config(self):
        self.cfg.set("bind", self.address)
        self.cfg.set("worker_class", "gthread")
        self.cfg.set("threads", 16)
        self.cfg.set("timeout", 0)
        self.cfg.set("graceful_timeout", 1)
        self.cfg.set("worker_tmp_dir", str(self.folder))
        self.cfg.set("post_worker_init", say_where)

    def load(self):
        return self.app


def say_where(worker):
    name = worker.sockets[0].getsockname()
    where = f"unix {name}" if isinstance(name, str) else f"tcp {name[0]}:{name[1]}"
    print(f"listening {where}", flush=True)


def serve(app, listen, folder):
    Server(app, listen, folder).run()

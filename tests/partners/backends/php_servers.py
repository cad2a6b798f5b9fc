"""The servers that run PHP sites: nginx with php-fpm, Apache with PHP inside, PHP's own.

`site` is a file below php/. With `believes`, the web server takes client and scheme from X-Forwarded-*, by the very lines of
README; without, that is left to the site. static_files.py makes what nginx and Apache
hand out by themselves.
"""

import grp
import os
import pwd
import re
import shutil
import socket
import time

from launcher import HERE, START_SECONDS, Failed, listener
from static_files import stock

NGINX_BELIEF = """\
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Forwarded-For;
    absolute_redirect off;
    map $http_x_forwarded_proto $https_in { https on; default ""; }"""
APACHE_BELIEF = """\
ServerName https://wx.test
RemoteIPHeader X-Forwarded-For
RemoteIPInternalProxy 127.0.0.1
SetEnvIf X-Forwarded-Proto https HTTPS=on"""


def nginx(keeper, site, believes=False):
    os.environ["PATH"] += ":/usr/sbin"
    stock(keeper.scratch)
    sock = None if keeper.listen == "unix" else listener()
    address = sock.getsockname() if sock else str(keeper.scratch / "nginx.sock")
    (keeper.scratch / "nginx.sock").unlink(missing_ok=True)
    names = {
        "SCRATCH": keeper.scratch,
        "SITE": HERE / "php" / site,
        "USER": pwd.getpwuid(os.getuid()).pw_name,
        "GROUP": grp.getgrgid(os.getgid()).gr_name,
        "LISTEN": f"{address[0]}:{address[1]}" if sock else f"unix:{address}",
        "BELIEF": NGINX_BELIEF if believes else "",
        "HTTPS": "fastcgi_param HTTPS $https_in if_not_empty;" if believes else "",
    }
    fpm, conf = fill(keeper, "fpm.conf", names), fill(keeper, "nginx.conf", names)
    allow_root = ["--allow-to-run-as-root"] if os.getuid() == 0 else []
    keeper.spawn("php-fpm", ["php-fpm8.2", *ini(keeper), *allow_root, "--fpm-config", fpm])
    # nginx takes over a socket that is already bound to the address of its `listen` when NGINX names its descriptor.
    inherited = {"env": {"NGINX": f"{sock.fileno()};"}, "pass_fds": [sock.fileno()]} if sock else {}
    keeper.spawn("nginx", ["nginx", "-e", f"{keeper.scratch}/nginx-errors.log", "-c", conf], **inherited)
    if sock:
        sock.close()
    return keeper.serves_http(address)


def apache(keeper, site, believes=False):
    os.environ["PATH"] += ":/usr/sbin"
    stock(keeper.scratch)
    # Apache takes over no socket. Two may be bound to one address as long as neither listens, and at this one no program
    # but Apache asks the kernel for a port.
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.85.0.1", 0))
    address = sock.getsockname()
    user = give_to_www_data(keeper.scratch) if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    sites = keeper.scratch / "sites"
    names = {
        "SCRATCH": keeper.scratch,
        "INI": sites / "php" / "site.ini",
        "USER": user.pw_name,
        "GROUP": grp.getgrgid(user.pw_gid).gr_name,
        "LISTEN": f"{address[0]}:{address[1]}",
        "BELIEF": APACHE_BELIEF if believes else "ServerName wx.test",
    }
    # A copy, as its user may not be able to read this folder.
    shutil.copytree(HERE / "php", sites / "php")
    shutil.copy(HERE / "page.html", sites)
    (keeper.scratch / "www" / "index.php").write_text(f"<?php require '{sites}/php/{site}';")
    keeper.spawn("apache", ["apache2", "-f", fill(keeper, "apache.conf", names), "-DFOREGROUND"])
    line = keeper.serves_http(address)
    sock.close()
    return line


def builtin(keeper, site, believes=False):
    stock(keeper.scratch)
    # It reads no auto_prepend_file before a script that answers everything.
    parts = ["shop/forwarded.php", site] if believes else [site]
    (keeper.scratch / "router.php").write_text("<?php\n" + "".join(f"require '{HERE}/php/{part}';\n" for part in parts))
    environment = {"PHP_CLI_SERVER_WORKERS": "4", "SCRATCH": str(keeper.scratch)}
    keeper.spawn("php", ["php", *ini(keeper), "-S", "127.0.0.1:0", str(keeper.scratch / "router.php")], env=environment)
    return keeper.serves_http(("127.0.0.1", builtin_port(keeper)))


def builtin_port(keeper):
    """Asked for port 0, PHP says which one it got."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        keeper.check_alive()
        said = re.search(r"http://127\.0\.0\.1:(\d+)\) started", (keeper.scratch / "php.log").read_text())
        if said:
            return int(said[1])
        time.sleep(0.03)
    raise Failed("php did not say where it listens")


def ini(keeper):
    values = {"sys_temp_dir": keeper.scratch, "session.save_path": keeper.scratch}
    return ["-c", str(HERE / "php/site.ini"), *(part for name in values for part in ("-d", f"{name}={values[name]}"))]


def give_to_www_data(folder):
    """Apache, started by root, serves as another user and refuses to do it as root."""
    user = pwd.getpwnam("www-data")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user


def fill(keeper, template, names):
    text = (HERE / "php" / template).read_text()
    for name, value in names.items():
        text = text.replace(f"@{name}@", str(value))
    path = keeper.scratch / template
    path.write_text(text)
    return str(path)

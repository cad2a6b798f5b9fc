"""Verifies on Flask and wechatpy, on each path with one mistake. Below /oa as an official account, below /wecom as WeCom."""

import argparse
import itertools
import sys
import time
import traceback
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))

from flask import Flask, Response, abort, jsonify, redirect, request
from wechatpy.enterprise.crypto import WeChatCrypto
from wechatpy.exceptions import WeChatException
from wechatpy.utils import WeChatSigner, check_signature

from serve import serve

parser = argparse.ArgumentParser()
for name in ("token", "key", "receive-id"):
    parser.add_argument(f"--{name}", required=True)
options = parser.parse_args(sys.argv[3:])

app = Flask(__name__)
BOTH = {"methods": ["GET", "POST"]}


@app.errorhandler(WeChatException)
def refused(_):
    return text("refused", 403)


def text(body, status=200):
    return Response(body, status, content_type="text/plain; charset=utf-8")


def given(name):
    return request.args.get(name, "")


def signed():
    return given("timestamp"), given("nonce")


def digest(*parts):
    signer = WeChatSigner()
    signer.add_data(*parts)
    return signer.signature


def official(token=options.token):
    """The echostr, or `success` for a message."""
    check_signature(token, given("signature"), *signed())
    return "success" if request.method == "POST" else given("echostr")


def wecom(token=options.token, key=options.key, receive_id=options.receive_id, echostr=None):
    crypto = WeChatCrypto(token, key, receive_id)
    if request.method == "POST":
        crypto.decrypt_message(request.data, given("msg_signature"), *signed())
        return "success"
    return crypto.check_signature(given("msg_signature"), *signed(), echostr or given("echostr"))


def respelt(name, token):
    app.add_url_rule(f"/oa/token-{name}", f"token-{name}", lambda: text(official(token)), **BOTH)
    app.add_url_rule(f"/wecom/token-{name}", f"wecom-token-{name}", lambda: text(wecom(token)), **BOTH)


for name, token in {
    "wrong": "aTokenOfNobody",
    "blank": options.token + " ",
    "line": options.token + "\n",
    "quoted": f'"{options.token}"',
    "lower": options.token.lower(),
    "mark": "\ufeff" + options.token,
    "invisible": options.token + "\u200b",
    "wide": "".join(chr(ord(letter) + 0xFEE0) for letter in options.token),
    "empty": "",
    "other": "tokenOfAnother",
}.items():
    respelt(name, token)


@app.route("/oa/good", **BOTH)
def good():
    return text(official())


@app.route("/wecom/good", **BOTH)
def wecom_good():
    return text(wecom())


@app.route("/oa/html", **BOTH)
def as_page():
    return official()


@app.route("/oa/quoted", **BOTH)
def quoted():
    return text("success") if request.method == "POST" else jsonify(official())


@app.route("/oa/wrapped", **BOTH)
def wrapped():
    return text("success") if request.method == "POST" else jsonify(code=0, data=official())


@app.route("/oa/echo-in-digest", **BOTH)
def echo_in_digest():
    if digest(options.token, *signed(), given("echostr")) != given("signature"):
        abort(403)
    return text(given("echostr"))


@app.route("/oa/unsorted", **BOTH)
def unsorted():
    import hashlib

    if hashlib.sha1("".join([options.token, *signed()]).encode()).hexdigest() != given("signature"):
        abort(403)
    return text(given("echostr"))


@app.post("/oa/post-only")
def post_only():
    return text(official())


@app.get("/oa/get-only")
def get_only():
    return text(official())


@app.route("/oa/slash/", **BOTH)
def slash():
    return text(official())


@app.route("/oa/behind-slash/", strict_slashes=True, **BOTH)
def behind_slash():
    return text(official())


app.add_url_rule("/oa/only-slash", "only-slash", lambda: abort(404), **BOTH)
app.add_url_rule("/oa/only-slash/", "only-slash/", lambda: text(official()), **BOTH)


@app.route("/oa/members", **BOTH)
def login():
    return redirect("/user/login?next=" + urllib.parse.quote(request.full_path))


@app.route("/oa/www", **BOTH)
def www():
    return redirect("http://www.wx.test/oa/www?" + request.query_string.decode())


@app.route("/oa/https", **BOTH)
def https():
    return redirect(request.url.replace("http://", "https://", 1), 301)


@app.route("/oa/elsewhere", **BOTH)
def elsewhere():
    return redirect("/oa/good")


@app.route("/oa/crash", **BOTH)
def crash():
    return text(given("no")[9])


@app.route("/oa/traceback", **BOTH)
def trace():
    try:
        return request.args["code"]
    except KeyError:
        return text(traceback.format_exc(), 500)


@app.route("/oa/nothing-imported", **BOTH)
def nothing_imported():
    try:
        raise ModuleNotFoundError("No module named 'Crypto'")
    except ModuleNotFoundError:
        return text(traceback.format_exc(), 500)


@app.route("/oa/password", **BOTH)
def password():
    return Response("", 401, {"WWW-Authenticate": "Basic"})


@app.route("/oa/login-page", **BOTH)
def login_page():
    return "<!DOCTYPE html><form><input name=u><input type=\"password\"></form>"


@app.route("/oa/csrf", **BOTH)
def csrf():
    if request.method == "POST":
        return Response("<h1>Forbidden</h1><p>CSRF verification failed. Request aborted.</p>", 403)
    return text(official())


@app.route("/oa/csrf-419", **BOTH)
def csrf_419():
    return Response("Page Expired", 419)


@app.route("/oa/limited", **BOTH)
def limited():
    return text("slow down", 429)


@app.route("/oa/maintenance", **BOTH)
def maintenance():
    return text("back soon", 503)


@app.route("/oa/message-json", **BOTH)
def message_json():
    return jsonify(errcode=0) if request.method == "POST" else text(official())


@app.route("/oa/message-crash", **BOTH)
def message_crash():
    return text(official()[99] if request.method == "POST" else official())


@app.route("/oa/message-refused", **BOTH)
def message_refused():
    return text(official("aTokenOfNobody") if request.method == "POST" else official())


@app.route("/oa/message-redirected", **BOTH)
def message_redirected():
    return redirect("/oa/good") if request.method == "POST" else text(official())


@app.route("/oa/message-unchecked", **BOTH)
def message_unchecked():
    return text("success" if request.method == "POST" else official())


@app.route("/<kind>/late/<int:milliseconds>", **BOTH)
def late(kind, milliseconds):
    if request.method == "GET" and given("echostr"):
        time.sleep(milliseconds / 1000)
    return text(official() if kind == "oa" else wecom())


@app.route("/oa/message-late", **BOTH)
def message_late():
    if request.method == "POST":
        time.sleep(5.3)
    return text(official())


FIRST = itertools.count()


@app.route("/wecom/cold", **BOTH)
def cold():
    if next(FIRST) == 0:
        time.sleep(1.5)
    return text(wecom())


TURNS = itertools.count()


@app.route("/oa/by-turns", **BOTH)
def by_turns():
    return text(official() if next(TURNS) % 2 == 0 else official("aTokenOfNobody"))


@app.route("/wecom/key", **BOTH)
def other_key():
    return text(wecom(key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"))


@app.route("/wecom/short-key", **BOTH)
def short_key():
    try:
        return text(wecom(key=options.key[:-1]))
    except Exception:
        return text(traceback.format_exc(), 500)


@app.route("/wecom/id", **BOTH)
def other_id():
    try:
        return text(wecom(receive_id="wwffffffffffffffff"))
    except WeChatException as error:
        return text(str(error.errcode))


@app.route("/wecom/code", **BOTH)
def other_token_as_code():
    try:
        return text(wecom("aTokenOfNobody"))
    except WeChatException as error:
        return text(f"ERR: {error.errcode}")


@app.route("/wecom/id-empty", **BOTH)
def empty_id():
    return text(wecom(receive_id=""))


@app.route("/wecom/as-official", **BOTH)
def as_official():
    return text(official())


@app.route("/wecom/text-nonce", **BOTH)
def number_nonce():
    return text(wecom() if request.method == "POST" or given("nonce").isdigit() else "bad nonce", 200)


@app.route("/wecom/reply-clear", **BOTH)
def reply_clear():
    if request.method == "POST":
        return text("<xml><MsgType><![CDATA[text]]></MsgType><Content>x</Content></xml>")
    return text(wecom())


@app.route("/wecom/reply-broken", **BOTH)
def reply_broken():
    if request.method == "POST":
        crypto = WeChatCrypto(options.token, "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", options.receive_id)
        return text(crypto.encrypt_message("<xml></xml>", given("nonce"), given("timestamp")))
    return text(wecom())


serve(app, sys.argv[1], sys.argv[2])

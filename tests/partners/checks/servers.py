"""The SDKs as servers: verification and messages, plain and encrypted, made by other SDKs."""

import re
from urllib.parse import urlencode

from checks import harness
from checks.harness import backend, by_sigkill, by_stdin
from checks.sdks import Driver, signature

TOKEN, KEY, RECEIVE_ID = "tok123", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wx1234567890abcdef"
CASE = {"token": TOKEN, "key": KEY, "receive_id": RECEIVE_ID, "timestamp": "1700000000", "nonce": "n1"}
CREDENTIALS = ("--token", TOKEN, "--key", KEY, "--receive-id", RECEIVE_ID)
MESSAGE = (
    "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>"
    "<CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content><MsgId>1</MsgId></xml>"
)


def check():
    sdk = Driver(("weworkapi_driver.py",))
    for name in ("sdk-wechatpy", "sdk-node"):
        with backend(name, *CREDENTIALS) as server:
            check_official(name, server, sdk)
            check_wecom(name, server, sdk)
        for end in (by_stdin, by_sigkill):
            with backend(name, *CREDENTIALS, end=end):
                pass
    sdk.end()


def query(**more):
    return urlencode({"timestamp": CASE["timestamp"], "nonce": CASE["nonce"], **more})


def seal(sdk, message):
    return sdk.ask([{"op": "encrypted", **CASE, "message": message}])[0]


def unseal(sdk, body):
    envelope = re.search(rb"<Encrypt><!\[CDATA\[(.*?)\]\]></Encrypt>", body)
    return sdk.ask([{"op": "open", **CASE, "echostr": envelope[1].decode()}])[0].get("message", "") if envelope else ""


def post(server, path, body):
    return server.curl(path, "--header", "Content-Type: text/xml", "--data-binary", body)


def check_official(name, server, sdk):
    good = query(signature=signature(CASE), echostr="4375120948345356249")
    status, _, body = server.curl(f"/wx?{good}")
    harness.check(f"{name} /wx: verification", (status, body) == (200, b"4375120948345356249"), (status, body))
    status, _, body = server.curl(f"/wx?{query(signature='0' * 40, echostr='1')}")
    harness.check(f"{name} /wx: forged verification", status >= 400 and body != b"1", (status, body))

    _, _, body = post(server, f"/wx?{query(signature=signature(CASE))}", MESSAGE)
    harness.check(f"{name} /wx: plain message", "echo: 你好" in body.decode(), body)

    sealed = seal(sdk, MESSAGE)
    target = query(signature=signature(CASE), encrypt_type="aes", msg_signature=sealed["msg_signature"])
    frame = f"<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[{sealed['echostr']}]]></Encrypt></xml>"
    _, _, body = post(server, f"/wx?{target}", frame)
    harness.check(f"{name} /wx: encrypted message and reply", "echo: 你好" in unseal(sdk, body), body)


def check_wecom(name, server, sdk):
    sealed = seal(sdk, "1616140317555161061")
    status, _, body = server.curl(f"/wecom?{query(**sealed)}")
    harness.check(f"{name} /wecom: verification", (status, body) == (200, b"1616140317555161061"), (status, body))
    status, _, _ = server.curl(f"/wecom?{query(msg_signature='0' * 40, echostr=sealed['echostr'])}")
    harness.check(f"{name} /wecom: forged verification", status == 403, status)

    sealed = seal(sdk, MESSAGE)
    frame = f"<xml><ToUserName>ww1</ToUserName><AgentID>1</AgentID><Encrypt><![CDATA[{sealed['echostr']}]]></Encrypt></xml>"
    _, _, body = post(server, f"/wecom?{query(msg_signature=sealed['msg_signature'])}", frame)
    harness.check(f"{name} /wecom: encrypted message and reply", "echo: 你好" in unseal(sdk, body), body)

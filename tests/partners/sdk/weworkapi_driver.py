"""Drives PyPI weworkapi, a copy of Tencent's own Python class for WeCom."""

import sys
import xml.etree.ElementTree

# The package imports a module that Python 3.9 dropped; this is what it was.
sys.modules["xml.etree.cElementTree"] = xml.etree.ElementTree

from weworkapi.WXBizMsgCrypt3 import SHA1, Prpcrypt, WXBizMsgCrypt

from lines import drive, frame, key_bytes, text


def good(result):
    code, value = result
    if code != 0:
        raise ValueError(f"code {code}")
    return value


def encrypted(case):
    crypto = WXBizMsgCrypt(case["token"], case["key"], case["receive_id"])
    return frame(good(crypto.EncryptMsg(case["message"], case["nonce"], case["timestamp"])))


def plain(case):
    """The class knows only signatures of four parts; an empty fourth one changes nothing."""
    return {"signature": good(SHA1().getSHA1(case["token"], case["timestamp"], case["nonce"], ""))}


def opened(case):
    return {"message": text(good(Prpcrypt(key_bytes(case["key"])).decrypt(case["echostr"], case["receive_id"])))}


def replied(case, reply):
    crypto = WXBizMsgCrypt(case["token"], case["key"], case["receive_id"])
    return good(crypto.DecryptMsg(reply.xml, reply.signature, reply.timestamp, reply.nonce))


drive(encrypted, plain, opened, replied)

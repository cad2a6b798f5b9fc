"""Drives PyPI wechatpy: wechatpy_driver.py work|official (WeCom's class or the official account's)."""

import sys

from wechatpy.crypto import PrpCrypto as OfficialCipher
from wechatpy.crypto import WeChatCrypto as Official
from wechatpy.enterprise.crypto import PrpCrypto as WorkCipher
from wechatpy.enterprise.crypto import WeChatCrypto as Work
from wechatpy.utils import WeChatSigner

from lines import drive, frame, key_bytes, text

Crypto, Cipher = {"work": (Work, WorkCipher), "official": (Official, OfficialCipher)}[sys.argv[1]]


def encrypted(case):
    crypto = Crypto(case["token"], case["key"], case["receive_id"])
    return frame(crypto.encrypt_message(case["message"], case["nonce"], case["timestamp"]))


def plain(case):
    signer = WeChatSigner()
    signer.add_data(case["token"], case["timestamp"], case["nonce"])
    return {"signature": signer.signature}


def opened(case):
    return {"message": text(Cipher(key_bytes(case["key"])).decrypt(case["echostr"], case["receive_id"]))}


def replied(case, reply):
    crypto = Crypto(case["token"], case["key"], case["receive_id"])
    return crypto.decrypt_message(reply.xml, reply.signature, reply.timestamp, reply.nonce)


drive(encrypted, plain, opened, replied)

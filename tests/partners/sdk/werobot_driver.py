"""Drives PyPI WeRoBot."""

from werobot.crypto import MessageCrypt, PrpCrypto
from werobot.utils import get_signature

from lines import drive, frame, key_bytes, text


def encrypted(case):
    crypto = MessageCrypt(case["token"], case["key"], case["receive_id"])
    return frame(crypto.encrypt_message(case["message"], case["timestamp"], case["nonce"]))


def plain(case):
    return {"signature": get_signature(case["token"], case["timestamp"], case["nonce"])}


def opened(case):
    return {"message": text(PrpCrypto(key_bytes(case["key"])).decrypt(case["echostr"], case["receive_id"]))}


def replied(case, reply):
    crypto = MessageCrypt(case["token"], case["key"], case["receive_id"])
    return crypto.decrypt_message(reply.timestamp, reply.nonce, reply.signature, reply.envelope)


drive(encrypted, plain, opened, replied)

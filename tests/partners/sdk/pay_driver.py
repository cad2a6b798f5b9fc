"""WeChat Pay's side of payment notices: version 2 signed by PyPI wechatpy, version 3 by PyPI wechatpayv3's own functions.

One JSON request a line on stdin, one JSON answer a line on stdout: {"op": "key"}, {"op": "v2"}, {"op": "v3"}.
"""

import base64
import json
import sys
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from wechatpayv3.utils import rsa_sign
from wechatpy.pay.utils import calculate_signature, dict_to_xml

API_KEY = "0123456789abcdefghijklmnopqrstuv"
SERIAL = "PUB_KEY_ID_0112345678"

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
public = key.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
).decode()


def v2():
    notice = {
        "appid": "wx1234567890abcdef", "mch_id": "1230000109", "nonce_str": "5K8264ILTKCH16CQ2502SI8ZNMTM67VS",
        "attach": "支付 测试", "result_code": "SUCCESS", "return_code": "SUCCESS", "total_fee": "101",
        "transaction_id": "1004400740201409030005092168",
    }
    return {"body": dict_to_xml(notice, calculate_signature(notice, API_KEY)), "headers": {"Content-Type": "text/xml"}}


def v3():
    timestamp, nonce = str(int(time.time())), "593BEC0C930BF1AFEB40B4A08C8FB242"
    resource = json.dumps({"transaction_id": "1217752501201407033233368018", "description": "支付 测试"}).encode()
    sealed = AESGCM(API_KEY.encode()).encrypt(b"fdasflkja484", resource, b"transaction")
    body = json.dumps({
        "id": "EV-2018022511223320873", "create_time": "2015-05-20T13:29:35+08:00", "resource_type": "encrypt-resource",
        "event_type": "TRANSACTION.SUCCESS", "summary": "支付成功",
        "resource": {
            "original_type": "transaction", "algorithm": "AEAD_AES_256_GCM", "associated_data": "transaction",
            "nonce": "fdasflkja484", "ciphertext": base64.b64encode(sealed).decode(),
        },
    }, ensure_ascii=False, indent=2) + "\n"
    signature = rsa_sign(key, f"{timestamp}\n{nonce}\n{body}\n")
    return {"body": body, "headers": {
        "Content-Type": "application/json", "Wechatpay-Serial": SERIAL, "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce, "Wechatpay-Signature": signature,
        "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
    }}


operations = {"key": lambda: {"public": public, "serial": SERIAL, "api_key": API_KEY}, "v2": v2, "v3": v3}
for line in sys.stdin:
    print(json.dumps(operations[json.loads(line)["op"]](), ensure_ascii=False), flush=True)

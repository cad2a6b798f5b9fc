"""A shop that takes WeChat Pay's notices: version 2 on /pay/v2 by wechatpy, version 3 on /pay/v3 by wechatpayv3.

The folder has pay.pem, WeChat Pay's public key.
"""

import argparse
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, Response, jsonify, request
from wechatpayv3 import WeChatPay as PayV3
from wechatpayv3 import WeChatPayType
from wechatpy.exceptions import InvalidSignatureException
from wechatpy.pay import WeChatPay as PayV2

from serve import serve

parser = argparse.ArgumentParser()
parser.add_argument("listen")
parser.add_argument("folder")
parser.add_argument("--api-key", required=True)
parser.add_argument("--serial", required=True)
options = parser.parse_args()

own_key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
v2 = PayV2(appid="wx1234567890abcdef", api_key=options.api_key, mch_id="1230000109")
v3 = PayV3(
    wechatpay_type=WeChatPayType.NATIVE, mchid="1230000109", private_key=own_key, cert_serial_no="1",
    apiv3_key=options.api_key, appid="wx1234567890abcdef", public_key=(Path(options.folder) / "pay.pem").read_text(),
    public_key_id=options.serial,
)
app = Flask(__name__)


@app.post("/pay/v2")
def take_v2():
    try:
        return Response(v2.parse_payment_result(request.data)["attach"])
    except InvalidSignatureException:
        return Response("refused\n", 401)


@app.post("/pay/v3")
def take_v3():
    notice = v3.callback(request.headers, request.data.decode())
    return jsonify(notice["resource"]) if notice else Response("refused\n", 401)


serve(app, options.listen, options.folder)

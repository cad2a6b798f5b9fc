"""A WeChat server on Flask and wechatpy: official account on /wx, WeCom on /wecom; replies "echo: ..."."""

import argparse

from flask import Flask, Response, abort, request
from wechatpy import create_reply, parse_message
from wechatpy.crypto import WeChatCrypto as OfficialCrypto
from wechatpy.enterprise import create_reply as create_wecom_reply
from wechatpy.enterprise import parse_message as parse_wecom_message
from wechatpy.enterprise.crypto import WeChatCrypto as WecomCrypto
from wechatpy.enterprise.exceptions import InvalidCorpIdException
from wechatpy.exceptions import InvalidAppIdException, InvalidSignatureException
from wechatpy.utils import check_signature

from serve import serve

parser = argparse.ArgumentParser()
parser.add_argument("listen")
parser.add_argument("folder")
parser.add_argument("--token", required=True)
parser.add_argument("--key", required=True)
parser.add_argument("--receive-id", required=True)
options = parser.parse_args()

app = Flask(__name__)
official = OfficialCrypto(options.token, options.key, options.receive_id)
wecom = WecomCrypto(options.token, options.key, options.receive_id)


for refusal in (InvalidSignatureException, InvalidAppIdException, InvalidCorpIdException):
    app.register_error_handler(refusal, lambda _: Response("refused\n", 403, content_type="text/plain"))


def xml(body):
    return Response(body, content_type="text/xml; charset=utf-8")


def signed_by(name):
    return request.args.get(name, ""), request.args.get("timestamp", ""), request.args.get("nonce", "")


@app.get("/wx")
def verify_official():
    check_signature(options.token, *signed_by("signature"))
    return Response(request.args.get("echostr", ""), content_type="text/plain")


@app.post("/wx")
def answer_official():
    check_signature(options.token, *signed_by("signature"))
    if request.args.get("encrypt_type", "raw") == "raw":
        return xml(official_reply(request.data))
    message = official.decrypt_message(request.data, *signed_by("msg_signature"))
    return xml(official.encrypt_message(official_reply(message), request.args["nonce"], request.args["timestamp"]))


def official_reply(body):
    message = parse_message(body)
    return create_reply(f"echo: {message.content}", message).render()


@app.get("/wecom")
def verify_wecom():
    if "echostr" not in request.args:
        abort(400)
    echo = wecom.check_signature(*signed_by("msg_signature"), request.args["echostr"])
    return Response(echo, content_type="text/plain")


@app.post("/wecom")
def answer_wecom():
    message = parse_wecom_message(wecom.decrypt_message(request.data, *signed_by("msg_signature")))
    reply = create_wecom_reply(f"echo: {message.content}", message).render()
    return xml(wecom.encrypt_message(reply, request.args["nonce"], request.args["timestamp"]))


serve(app, options.listen, options.folder)

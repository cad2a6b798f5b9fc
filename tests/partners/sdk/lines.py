"""The line protocol of the SDK drivers: one JSON request a line on stdin, one JSON answer a line on stdout."""

import base64
import json
import re
import sys
from xml.etree import ElementTree


def drive(encrypted, plain, opened, replied):
    """Serves until stdin ends.  A fault of the SDK becomes {"error": ...}."""
    operations = {
        "encrypted": encrypted,
        "plain": plain,
        "open": opened,
        "reply": lambda case: {"message": text(replied(case, Reply(case["body"])))},
    }
    for line in sys.stdin:
        try:
            case = json.loads(line)
            answer = operations[case["op"]](case)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, ensure_ascii=False), flush=True)


def frame(xml):
    """The envelope and its signature out of the SDK's encrypted message."""
    envelope = re.search(r"<Encrypt><!\[CDATA\[(.*?)\]\]></Encrypt>", xml)[1]
    signature = re.search(r"<MsgSignature><!\[CDATA\[(.*?)\]\]></MsgSignature>", xml)[1]
    return {"echostr": envelope, "msg_signature": signature}


class Reply:
    """A sealed reply as a platform reads it: XML, or JSON with names in any case."""

    def __init__(self, body):
        if body.startswith("{"):
            fields = {name.lower(): str(value) for name, value in json.loads(body).items()}
        else:
            fields = {element.tag.lower(): element.text for element in ElementTree.fromstring(body)}
        self.envelope, self.signature = fields["encrypt"], fields["msgsignature"]
        self.timestamp, self.nonce = fields["timestamp"], fields["nonce"]
        self.xml = f"<xml><Encrypt><![CDATA[{self.envelope}]]></Encrypt></xml>"


def key_bytes(key):
    return base64.b64decode(key + "=")


def text(message):
    return message.decode() if isinstance(message, bytes) else message

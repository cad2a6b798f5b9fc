"""Every SDK opens what every other one made, and all agree on every signature."""

import base64
import hashlib
import json
import random
import string
import subprocess

from checks import harness
from checks.harness import RUN

DRIVERS = (
    ("wechatpy_driver.py", "work"),
    ("wechatpy_driver.py", "official"),
    ("werobot_driver.py",),
    ("weworkapi_driver.py",),
    ("wecom_crypto_driver.cjs",),
    ("wechat_crypto_driver.cjs",),
    ("easywechat_driver.cjs",),
)
CASES = 100
LETTERS = string.ascii_letters + string.digits


def check():
    random.seed(1)
    cases = [random_case(i) for i in range(CASES)]
    drivers = {" ".join(driver).replace("_driver", ""): Driver(driver) for driver in DRIVERS}
    for name, driver in drivers.items():
        answers = driver.ask([{"op": "plain", **case} for case in cases])
        wrong = [answer for case, answer in zip(cases, answers) if answer.get("signature") != signature(case)]
        harness.check(f"sdk {name}: plain signatures", not wrong, wrong[:1])

        sealed = driver.ask([{"op": "encrypted", **case} for case in cases])
        wrong = [answer for case, answer in zip(cases, sealed) if not well_sealed(case, answer)]
        harness.check(f"sdk {name}: encrypted echostr and signature", not wrong, wrong[:1])
        if wrong:
            continue
        for other, reader in drivers.items():
            opened = reader.ask([{"op": "open", **case, "echostr": one["echostr"]} for case, one in zip(cases, sealed)])
            wrong = [(case, answer) for case, answer in zip(cases, opened) if answer.get("message") != case["message"]]
            harness.check(f"sdk {other}: opens what {name} sealed", not wrong, (len(wrong), wrong[:1]))

    for name, driver in drivers.items():
        case = {**cases[0], "receive_id": "wx-another"}
        sealed = driver.ask([{"op": "encrypted", **case}])[0]["echostr"]
        answer = driver.ask([{"op": "open", **cases[0], "echostr": sealed}, {"op": "plain", **cases[0]}])
        harness.check(f"sdk {name}: another receive id is an error, and it goes on", "error" in answer[0] and "signature" in answer[1], answer)
        requests = [{"op": "reply", **case, "body": body} for case in cases for body in replies(case, driver)]
        answers = driver.ask(requests)
        wrong = [one for one in zip(requests, answers) if one[1].get("message") != one[0]["message"]]
        harness.check(f"sdk {name}: opens replies", not wrong, wrong[:1])
        forged = {**requests[0], "token": cases[0]["token"] + "x"}
        harness.check(f"sdk {name}: another token is an error", "error" in driver.ask([forged])[0])
        driver.end()


def replies(case, driver):
    """The three frames around the same envelope."""
    envelope = driver.ask([{"op": "encrypted", **case}])[0]["echostr"]
    signed, timestamp, nonce = signature(case, envelope), case["timestamp"], case["nonce"]
    return (
        f"<xml><Encrypt><![CDATA[{envelope}]]></Encrypt><MsgSignature><![CDATA[{signed}]]></MsgSignature>"
        f"<TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>",
        json.dumps({"Encrypt": envelope, "MsgSignature": signed, "TimeStamp": int(timestamp), "Nonce": nonce}),
        json.dumps({"encrypt": envelope, "msgsignature": signed, "timestamp": int(timestamp), "nonce": nonce}),
    )


class Driver:
    def __init__(self, driver):
        program, *arguments = driver
        command = [RUN, f"sdk/{program}", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, requests):
        answers = []
        for request in requests:
            self.process.stdin.write(json.dumps(request, ensure_ascii=False) + "\n")
            self.process.stdin.flush()
            answers.append(json.loads(self.process.stdout.readline()))
        return answers

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)


def random_text(alphabet, least, most):
    return "".join(random.choices(alphabet, k=random.randint(least, most)))


def random_case(i):
    message = random_text(string.digits, 19, 20) if i % 2 else random_text(LETTERS + "你好，世界😀<>&\u2028", 1, 80)
    return {
        "token": random_text(LETTERS, 3, 32),
        "key": random_text(LETTERS, 43, 43),
        "receive_id": random.choice(("ww", "wx", "tj")) + random_text("0123456789abcdef", 16, 16),
        "message": message,
        "timestamp": str(random.randint(1, 2**33)),
        "nonce": random_text(string.digits if i % 3 else LETTERS, 1, 16),
    }


def signature(case, *more):
    parts = sorted([case["token"], case["timestamp"], case["nonce"], *more])
    return hashlib.sha1("".join(parts).encode()).hexdigest()


def well_sealed(case, answer):
    if "error" in answer or answer["msg_signature"] != signature(case, answer["echostr"]):
        return False
    return len(base64.b64decode(answer["echostr"], validate=True)) % 32 == 0

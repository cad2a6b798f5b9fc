"""Whether what is rendered agrees with itself: ports, files, selectors, times, and the configuration with wxgate."""

import os
import pathlib
import re
import subprocess
import tempfile

import restricted

DUMMIES = {
    "wechat-token": "TOKENdummy1",
    "wecom-token": "TOKENdummy2",
    "wecom-encoding-aes-key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
}
DRAIN = {"preStop": {"exec": {"command": ["/usr/local/bin/wxgate", "drain", "--no-wait"]}}}


def only(documents, kind, name=None):
    found = [each for each in documents if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} documents of kind {kind} named {name}"
    return found[0]


def gate(pod):
    return next(each for each in restricted.containers(pod) if each["name"] == "wxgate")


def configuration(documents):
    """The text of config.yaml that wxgate finds in its pod."""
    pod = restricted.pods(documents)[0]
    mount = next(each for each in gate(pod)["volumeMounts"] if each["mountPath"] == "/etc/wxgate")
    volume = next(each for each in pod["volumes"] if each["name"] == mount["name"])
    return only(documents, "ConfigMap", volume["configMap"]["name"])["data"]["config.yaml"]


def environment(documents):
    return {each["name"]: each["value"] for each in gate(restricted.pods(documents)[0]).get("env", [])}


def accepted(documents, wxgate):
    """Runs `wxgate check` on the configuration, with files in the places of its secrets."""
    text = configuration(documents)
    pod = restricted.pods(documents)[0]
    mounts = [each["mountPath"] for each in gate(pod)["volumeMounts"]]
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(set(re.findall(r"/run/secrets/[\w./-]+", text))):
            if not path.startswith(tuple(f"{mount}/" for mount in mounts)):
                return f"{path} is below no mount"
            place = pathlib.Path(folder + path)
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.name == "tls.crt":
                subprocess.run(
                    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=shop.test "
                    f"-addext subjectAltName=DNS:shop.test -keyout {place.parent}/tls.key -out {place}",
                    shell=True, check=True, capture_output=True)
            elif place.parent.name == "wxgate-tickets":
                place.write_bytes(os.urandom(80))
            elif place.name != "tls.key":
                place.write_text(DUMMIES[place.name])
        file = pathlib.Path(folder, "config.yaml")
        file.write_text(text.replace("/run/secrets/", f"{folder}/run/secrets/"))
        done = subprocess.run([wxgate, "check", "--config", file], capture_output=True, text=True, check=False,
                              env=environment(documents))
        return None if done.returncode == 0 else done.stdout + done.stderr


def seconds(text):
    assert re.fullmatch(r"\d+s", text), text
    return int(text[:-1])


def faults(documents, settings):
    """Where parts disagree, each as a sentence.  `settings` is the configuration, parsed."""
    found = []
    pod = restricted.pods(documents)[0]
    own, native = gate(pod), any(each["name"] == "wxgate" for each in pod.get("initContainers", []))
    listens = {int(str(each).rsplit(":", 1)[1])
               for value in settings["listen"].values()
               for each in (value if isinstance(value, list) else [value])}
    ports = {each["containerPort"] for each in own["ports"]}
    if ports != listens:
        found.append(f"wxgate listens on {listens}, the container names {ports}")
    admin = int(settings["listen"]["admin"].rsplit(":", 1)[1])
    probes = [own[each]["httpGet"]["port"] for each in own if each.endswith("Probe")]
    if set(probes) != {admin} or len(probes) != 3 - (not native):
        found.append(f"probes ask {probes}, the admin listener is {admin}")
    backends = re.search(r"127\.0\.0\.1:(\d+)", settings["upstream"]["url"])
    if backends and int(backends[1]) in ports:
        found.append("the backend's port is one of wxgate's")
    labels = only(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
    for each in documents:
        spec = each.get("spec", {})
        selector = {"Service": spec.get("selector"), "ServiceMonitor": {}}.get(
            each["kind"], (spec.get("podSelector") or spec.get("selector") or {}).get("matchLabels"))
        if each["kind"] not in ("ConfigMap", "ServiceMonitor") and (not selector or not selector.items() <= labels.items()):
            found.append(f"{each['kind']} {each['metadata']['name']} selects {selector}, pods have {labels}")
        if each["kind"] == "Service":
            targets = {port["targetPort"] for port in spec["ports"]}
            if not targets <= ports:
                found.append(f"Service {each['metadata']['name']} aims at {targets}")
    variables = environment(documents)
    delay = seconds(variables.get("WXGATE_DRAIN__DELAY") or settings["drain"]["delay"])
    timeout = seconds(variables.get("WXGATE_DRAIN__TIMEOUT") or settings["drain"]["timeout"])
    sleeps = [each["lifecycle"]["preStop"] for each in pod["containers"] if "lifecycle" in each]
    sleep = max([each["sleep"]["seconds"] if "sleep" in each else int(each["exec"]["command"][1]) for each in sleeps] or [0])
    grace = pod["terminationGracePeriodSeconds"]
    if grace <= max(sleep, delay + timeout):
        found.append(f"{grace}s do not hold preStop {sleep}s, or delay {delay}s and timeout {timeout}s")
    if sleeps and sleep <= delay + 1:
        found.append(f"the backend leaves after {sleep}s, wxgate accepts for {delay}s")
    # Where SIGTERM comes last, the hook has to begin the drain; where it comes at once, none may put it off.
    if own.get("lifecycle") != (DRAIN if native else None):
        found.append(f"wxgate's own hook is {own.get('lifecycle')}")
    return found

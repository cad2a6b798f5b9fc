"""All checks of `check`, in turn; one line each, and how many failed at the end."""

import copy
import pathlib
import re
import subprocess
import sys

import kubernetes_validate
import yaml

import agreement
import restricted

TOP, TOOLS, WXGATE = (pathlib.Path(each) for each in sys.argv[1:])
# The current minor version and the three before it, and the oldest that the overlays and each form of the chart are for.
VERSIONS = ["1.37", "1.36", "1.35", "1.34"]
OLDEST_OVERLAY = "1.30"
OLDEST = {"native": "1.29", "classic": "1.27"}
OVERLAYS = sorted(each.name for each in (TOP / "deploy/kubernetes/overlays").iterdir())
CHART = TOP / "deploy/helm/wxgate"
CLIENTS = {"helm 4": TOOLS / "v35@2.2.2/helm", "helm 3": TOOLS / "v33@2.0.0/helm"}
KUBECTL = TOOLS / "v35@2.2.2/kubectl"
passed = failed = 0


def report(name, fault=None):
    global passed, failed
    if fault:
        failed += 1
        print(f"FAIL {name}: {fault}", flush=True)
    else:
        passed += 1
        print(f"ok   {name}", flush=True)


def run(*command):
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def documents(text):
    return [each for each in yaml.safe_load_all(text) if each]


def unknown(document, version):
    """What Kubernetes' schema of that version says against a document.  ServiceMonitor has none."""
    if document["kind"] == "ServiceMonitor":
        return None
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{document['kind']}: {error.message}"
    return None


def check_rendered(name, text, versions):
    """Everything that must hold for one set of manifests."""
    rendered = documents(text)
    for version in versions:
        report(f"{name}: schemas of Kubernetes {version}",
               "; ".join(filter(None, (unknown(each, version) for each in rendered))))
    found = [each for pod in restricted.pods(rendered) for each in restricted.violations(pod)]
    report(f"{name}: PodSecurity restricted, read-only roots", "; ".join(found))
    report(f"{name}: ports, selectors and times agree",
           "; ".join(agreement.faults(rendered, yaml.safe_load(agreement.configuration(rendered)))))
    report(f"{name}: wxgate accepts the configuration", agreement.accepted(rendered, WXGATE))


def check_overlays():
    for name in OVERLAYS:
        code, text, errors = run(KUBECTL, "kustomize", TOP / "deploy/kubernetes/overlays" / name)
        report(f"{name}: kubectl kustomize", errors if code or errors else None)
        check_rendered(name, text, [*VERSIONS, OLDEST_OVERLAY])
    folder = TOOLS / "with-service-monitor"
    folder.mkdir(exist_ok=True)
    up = "../" * len(folder.resolve().parts[1:])
    (folder / "kustomization.yaml").write_text(
        f"resources: [{up}{str(TOP)[1:]}/deploy/kubernetes/overlays/native-sidecar]\n"
        f"components: [{up}{str(TOP)[1:]}/deploy/kubernetes/components/service-monitor]\n")
    code, text, errors = run(KUBECTL, "kustomize", folder)
    report("service-monitor: kubectl kustomize", errors if code or errors else None)
    check_rendered("service-monitor", text, VERSIONS)
    kinds = [each["kind"] for each in documents(text)]
    report("service-monitor: the monitor and its Service are there",
           None if kinds.count("Service") == 2 and "ServiceMonitor" in kinds else kinds)


def paths(values, before=""):
    """The dotted names of all values that are no maps, or empty ones, or maps that are one value to Kubernetes."""
    for key, value in values.items():
        name = before + key
        if isinstance(value, dict) and value and not name.endswith(("requests", "limits")) or name == "config.limits":
            yield from paths(value, f"{name}.")
        else:
            yield name


def nested(name, value):
    for key in reversed(name.split(".")):
        value = {key: value}
    return value


def merged(one, other):
    result = copy.deepcopy(one)
    for key, value in other.items():
        result[key] = merged(result[key], value) if isinstance(result.get(key), dict) and isinstance(value, dict) else value
    return result


def template(helm, values, *arguments):
    file = TOOLS / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    return run(helm, "template", "shop", CHART, "--values", file, *arguments)


def check_values(client, helm):
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    others = yaml.safe_load((TOP / "tests/kubernetes/chart_values.yaml").read_text())
    names = set(paths(defaults))
    report(f"{client}: every value has another one to try", sorted(names ^ set(others)) or None)
    readme = (CHART / "README.md").read_text()
    report("the chart's README lists every value", [each for each in sorted(names) if f"`{each}`" not in readme] or None)
    for name in sorted(names & set(others)):
        other, beside = others[name], {}
        if isinstance(other, dict) and set(other) == {"with", "value"}:
            other, beside = other["value"], other["with"]
        code, without, errors = template(helm, beside)
        code, text, errors = template(helm, merged(beside, nested(name, other)))
        if code or text == without:
            report(f"{client}: {name}", errors or "changes nothing")
            continue
        rendered = documents(text)
        report(f"{client}: {name} changes what is rendered, schemas hold",
               "; ".join(filter(None, (unknown(each, VERSIONS[0]) for each in rendered))))


def check_refusals(client, helm):
    for what, values, arguments in [
        ("an unknown value", {"sidecars": "native"}, []),
        ("an unknown value of the backend", {"backend": {"port": 1}}, []),
        ("another form of sidecar", {"sidecar": "both"}, []),
        ("a port that needs a capability", {"ports": {"https": 443}}, []),
        ("the drain in config", {"config": {"drain": {"delay": "1s"}}}, []),
        ("addresses in config", {"config": {"listen": {"admin": "off"}}}, []),
        ("certificates in config", {"config": {"tls": {"certificates": []}}}, []),
        ("an endpoint without tokens", {"config": {"endpoints": [{"name": "a", "path": "/a", "platform": "wecom"}]}}, []),
        ("a native sidecar on Kubernetes 1.28", {}, ["--kube-version", "1.28.0"]),
        ("a delay without a number", {"drain": {"delaySeconds": None}}, []),
        ("Kubernetes 1.26", {"sidecar": "classic"}, ["--kube-version", "1.26.0"]),
    ]:
        code, _, _ = template(helm, values, *arguments)
        report(f"{client}: refuses {what}", None if code else "rendered it")


def check_chart():
    full = {
        "secrets": {"existingSecret": "shop-wxgate"},
        "ticketKeys": {"existingSecret": "shop-tickets"},
        "config": {"endpoints": [
            {"name": "shop", "path": "/wechat", "platform": "official_account",
             "tokens": [{"file": "/run/secrets/wxgate/wechat-token"}]},
            {"name": "staff", "path": "/wecom", "platform": "wecom", "tokens": [{"file": "/run/secrets/wxgate/wecom-token"}],
             "encoding_aes_keys": [{"file": "/run/secrets/wxgate/wecom-encoding-aes-key"}],
             "receive_ids": ["ww1234567890abcdef"]}]},
        "tls": [{"secretName": "one"}, {"secretName": "two"}],
        "serviceMonitor": {"enabled": True}, "backend": {"startupPath": "/"},
    }
    for client, helm in CLIENTS.items():
        code, text, errors = run(helm, "lint", "--strict", CHART)
        report(f"{client}: lint --strict", None if code == 0 and "[WARNING]" not in text else text + errors)
        code, text, errors = run(helm, "package", CHART, "--destination", TOOLS)
        report(f"{client}: package", errors if code else None)
        for form, oldest in OLDEST.items():
            for version in [*VERSIONS, oldest]:
                for kind, values in [("defaults", {}), ("everything", full), ("without TLS", {"tls": []})]:
                    name = f"{client}, {form}, {kind}, Kubernetes {version}"
                    code, text, errors = template(helm, {**values, "sidecar": form}, "--kube-version", f"{version}.0")
                    if code:
                        report(name, errors)
                        continue
                    check_rendered(name, text, [version])
        check_values(client, helm)
        check_refusals(client, helm)


def check_style():
    bin_ = TOOLS / "venv/bin"
    rules = "{extends: default, rules: {line-length: {max: 132}, document-start: disable, comments: disable, " \
            "braces: {max-spaces-inside: 0}, octal-values: disable, truthy: {check-keys: false}}}"
    files = [each for folder in ("kubernetes", "docker", "helm") for each in sorted((TOP / "deploy" / folder).rglob("*.yaml"))
             if "templates" not in each.parts]
    code, text, errors = run(bin_ / "yamllint", "--strict", "-d", rules, *files)
    report("yamllint", text + errors if code else None)
    code, text, errors = run(bin_ / "hadolint", TOP / "deploy/docker/Dockerfile")
    report("hadolint", text + errors if code else None)


def check_that_checks_see():
    """A check that finds nothing in something broken is none."""
    _, text, _ = run(KUBECTL, "kustomize", TOP / "deploy/kubernetes/overlays/native-sidecar")
    for what, pattern, instead in [
        ("a misspelt key", "startupProbe:", "startUpProbe:"),
        ("a wrong type", "periodSeconds: 2\n", "periodSeconds: two\n"),
    ]:
        broken = documents(text.replace(pattern, instead))
        report(f"schemas see {what}", None if any(unknown(each, VERSIONS[0]) for each in broken) else "no")
    for what, pattern, instead in [
        ("a writable root", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
        ("a kept capability", "- ALL", "- NET_RAW"),
        ("root", "runAsUser: 65532", "runAsUser: 0"),
    ]:
        pod = restricted.pods(documents(text.replace(pattern, instead, 1)))[0]
        report(f"the rules of restricted see {what}", None if restricted.violations(pod) else "no")
    for what, pattern, instead in [
        ("another port", "containerPort: 8443", "containerPort: 8444"),
        ("a sidecar that is not told of the end", "- drain\n", "- demo\n"),
        ("a backend that leaves before wxgate", "seconds: 7\n", "seconds: 6\n"),
        ("a short grace period", r"terminationGracePeriodSeconds: \d+", "terminationGracePeriodSeconds: 10"),
        ("a Service that selects nothing", r"selector:\n    app.kubernetes.io/name: shop", "selector:\n    a: b"),
    ]:
        changed, count = re.subn(pattern, instead, text, count=1)
        broken = documents(changed)
        settings = yaml.safe_load(agreement.configuration(broken))
        report(f"the comparison sees {what}", None if count and agreement.faults(broken, settings) else "no")
    broken = documents(text.replace("platform: wecom", "platform: wework"))
    report("wxgate refuses a wrong configuration", None if agreement.accepted(broken, WXGATE) else "no")


check_style()
check_overlays()
check_chart()
check_that_checks_see()
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)

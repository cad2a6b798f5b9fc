"""The rules of PodSecurity "restricted", and read-only roots, for the pods in rendered manifests."""

VOLUMES = {"configMap", "secret", "emptyDir", "projected", "downwardAPI", "csi", "persistentVolumeClaim", "ephemeral"}


def pods(documents):
    """The pod specifications in documents."""
    return [each["spec"]["template"]["spec"] for each in documents if each["kind"] == "Deployment"]


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


def violations(pod):
    """What "restricted" forbids, each as a sentence."""
    found = []
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            found.append(f"{name} is set")
    whole = pod.get("securityContext", {})
    for volume in pod.get("volumes", []):
        if set(volume) - {"name"} - VOLUMES:
            found.append(f"volume {volume['name']} is of a kind that is not allowed")
    for each in containers(pod):
        own = each.get("securityContext", {})

        def wanted(key, allowed, name=each["name"], own=own):
            value = own.get(key, whole.get(key))
            if value not in allowed:
                found.append(f"{name}: {key} is {value!r}")

        wanted("runAsNonRoot", [True])
        wanted("runAsUser", [65532])
        wanted("seccompProfile", [{"type": "RuntimeDefault"}])
        if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
            found.append(f"{each['name']}: may escalate privileges")
        if own.get("capabilities") != {"drop": ["ALL"]}:
            found.append(f"{each['name']}: keeps capabilities")
        if own.get("readOnlyRootFilesystem") is not True:
            found.append(f"{each['name']}: its root is writable")
        for port in each.get("ports", []):
            if "hostPort" in port or port["containerPort"] < 1025:
                found.append(f"{each['name']}: port {port} is not above 1024, or the host's")
        if "limits" not in each.get("resources", {}) or "requests" not in each["resources"]:
            found.append(f"{each['name']}: has no requests or limits")
    if pod.get("automountServiceAccountToken") is not False:
        found.append("the service account's token is mounted")
    return found

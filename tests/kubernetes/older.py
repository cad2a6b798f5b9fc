"""Rewrites manifests (standard input to output) for Kubernetes 1.20, and says on standard error what it had to change.

What is newer: `preStop.sleep` (1.29), policy/v1 (1.21), and `unhealthyPodEvictionPolicy` (1.26).
"""

import sys

import yaml

documents = [each for each in yaml.safe_load_all(sys.stdin) if each]
for document in documents:
    if document["kind"] == "PodDisruptionBudget":
        document["apiVersion"] = "policy/v1beta1"
        document["spec"].pop("unhealthyPodEvictionPolicy", None)
        print("PodDisruptionBudget: policy/v1beta1", file=sys.stderr)
    if document["kind"] == "Deployment":
        for container in document["spec"]["template"]["spec"]["containers"]:
            hook = container.get("lifecycle", {}).get("preStop", {})
            if seconds := hook.pop("sleep", {}).get("seconds"):
                hook["exec"] = {"command": ["sleep", str(seconds)]}
                print(f"{container['name']}: preStop sleeps by a command, {seconds} s", file=sys.stderr)
yaml.safe_dump_all(documents, sys.stdout)

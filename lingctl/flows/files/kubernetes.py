"""The same service as Kubernetes manifests, for clusters that a Kubernetes already runs. Pure.

One StatefulSet of one pod for each node of hosts.yaml, pinned to it by name: the rank table names the cards
of those machines, so no pod may run elsewhere. Pods use the host's network and ask Ascend's device plugin for
all cards of the node (``huawei.com/Ascend910``, the resource name of Atlas A2 and A3 servers in MindCluster's
documentation). Files come from ConfigMaps by ``subPath``: MindIE refuses symbolic links, which a whole
ConfigMap is made of. Nothing of this was run on Ascend hardware.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.inventory.places import weights_mount
from lingctl.inventory.sections import Node
from lingctl.release.wanted import overlay_files, release_files
from lingctl.remote.upload import WriteFile

RESOURCE = "huawei.com/Ascend910"
_LABEL = "app.kubernetes.io"
_PROBE_SECONDS = 10
# Source: Kubernetes, "Object Names and IDs": RFC 1123 for a namespace and a machine, RFC 1035 for a Service.
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_MACHINE = re.compile(r"(?=.{1,63}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_SERVICE = re.compile(r"[a-z].*")  # the rest is what hosts.yaml allows


def manifests(
    cluster: Cluster,
    addresses: Addresses,
    weights: str,
    namespace: str,
    model_config: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Every object, in the order in which they are applied.

    Args:
        cluster: what is served; node names must be those of the Kubernetes nodes.
        addresses: live address of every card, by node name and physical id; used with several nodes.
        model_config: the model's config.json as the engine will read it, if known.

    Raises:
        ConfigurationError: a card's address is not known, a name is none that Kubernetes takes, or hosts.yaml
            asks for what a device plugin or a manifest cannot give.
    """
    if cluster.https is not None or cluster.inter_node_tls is not None:
        raise ConfigurationError(
            "certificates are not exported: they would stand readable in the manifests",
            where="https, inter_node_tls",
            code="export-certificates",
        )
    _need_names(cluster, namespace)
    objects: list[dict[str, Any]] = []
    if overlay := {file.name: file.content.decode() for file in overlay_files(cluster)}:
        objects.append(_config_map(cluster, f"{cluster.name}-overlay", namespace, overlay))
    for node in cluster.nodes:
        if node.devices != tuple(range(len(node.devices))):
            raise ConfigurationError(
                f"{node.name} is to use cards {list(node.devices)}: a device plugin only counts cards",
                code="cards-not-countable",
            )
        files = release_files(cluster, node, addresses, weights, model_config)
        data = {PurePosixPath(file.path).name: file.content.decode() for file in files}
        objects.append(_config_map(cluster, f"{_name(cluster, node)}-files", namespace, data))
        objects.append(_stateful_set(cluster, node, files, namespace))
    objects.append(_service(cluster, namespace))
    return objects


def _need_names(cluster: Cluster, namespace: str) -> None:
    names = [("--namespace", namespace, _NAMESPACE), ("name in hosts.yaml", cluster.name, _SERVICE)]
    names += [("nodes in hosts.yaml", node.name, _MACHINE) for node in cluster.nodes]
    for where, name, form in names:
        if not form.fullmatch(name):
            raise ConfigurationError(
                f"Kubernetes takes no such name: {name!r}", where=where, code="export-name"
            )


def _object(
    kind: str, cluster: Cluster, name: str, namespace: str, *, api: str = "v1", **labels: str
) -> dict[str, Any]:
    common = {
        f"{_LABEL}/name": engine_of(cluster).about.name,
        f"{_LABEL}/instance": cluster.name,
        f"{_LABEL}/managed-by": "lingctl",
    }
    meta = {"name": name, "namespace": namespace, "labels": {**common, **labels}}
    return {"apiVersion": api, "kind": kind, "metadata": meta}


def _config_map(cluster: Cluster, name: str, namespace: str, data: dict[str, str]) -> dict[str, Any]:
    return {**_object("ConfigMap", cluster, name, namespace), "data": data}


def _name(cluster: Cluster, node: Node) -> str:
    return f"{cluster.name}-{cluster.nodes.index(node)}"


def _service(cluster: Cluster, namespace: str) -> dict[str, Any]:
    selector = {f"{_LABEL}/instance": cluster.name, "lingctl/node": _name(cluster, cluster.primary)}
    port = cluster.serving.port
    return {
        **_object("Service", cluster, cluster.name, namespace),
        "spec": {"selector": selector, "ports": [{"name": "http", "port": port, "targetPort": port}]},
    }


def _stateful_set(
    cluster: Cluster, node: Node, files: tuple[WriteFile, ...], namespace: str
) -> dict[str, Any]:
    name = _name(cluster, node)
    labels = {f"{_LABEL}/instance": cluster.name, "lingctl/node": name}
    volumes, mounts = _volumes(cluster, node, name, files)
    return {
        **_object("StatefulSet", cluster, name, namespace, api="apps/v1", **{"lingctl/node": name}),
        "spec": {
            "replicas": 1,
            "serviceName": cluster.name,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "hostNetwork": True,
                    "dnsPolicy": "ClusterFirstWithHostNet",
                    "nodeSelector": {"kubernetes.io/hostname": node.name},
                    "terminationGracePeriodSeconds": cluster.timeouts.stop,
                    "containers": [_container(cluster, node, mounts)],
                    "volumes": volumes,
                },
            },
        },
    }


def _container(cluster: Cluster, node: Node, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    engine = engine_of(cluster)
    cards = {RESOURCE: str(len(node.devices))}
    container: dict[str, Any] = {
        "name": engine.about.name,
        "image": engine.container(cluster, node).image,
        "command": ["/bin/bash", cluster.layout.start],
        "resources": {"limits": cards, "requests": cards},
        "volumeMounts": mounts,
    }
    # Only the first node answers HTTP; the others are judged by their process alone.
    if node == cluster.primary:
        address = {"host": node.service_address, "port": engine.http.health_port(cluster.serving)}
        ready = {"httpGet": {"path": engine.http.ready_path, **address}, "periodSeconds": _PROBE_SECONDS}
        tries = max(1, cluster.timeouts.start // _PROBE_SECONDS)
        container["startupProbe"] = {**ready, "failureThreshold": tries}
        container["readinessProbe"] = {**ready, "timeoutSeconds": 5}
    return container


def _volumes(
    cluster: Cluster, node: Node, name: str, files: tuple[WriteFile, ...]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What a pod is given, and where its container has it."""
    engine, volumes, mounts = engine_of(cluster), list[dict[str, Any]](), list[dict[str, Any]]()

    def give(
        name: str, what: dict[str, Any], *places: str, single: bool = False, writable: bool = False
    ) -> None:
        """A volume at one place; or, where it is single files of a ConfigMap, each of them at its own."""
        volumes.append({"name": name, **what})
        for place in places:
            part = {"subPath": PurePosixPath(place).name} if single else {}
            mounts.append(
                {"name": name, "mountPath": place, **part, **({} if writable else {"readOnly": True})}
            )

    def of_host(path: str, kind: str = "Directory") -> dict[str, Any]:
        return {"hostPath": {"path": path, "type": kind}}

    # MindIE refuses a config.json or rank table that others may read.
    kept = {"configMap": {"name": f"{name}-files", "defaultMode": 0o640}}
    give("files", kept, *(file.path for file in files), single=True)
    if overlay := [f"{engine.overlay.folder}/{file.name}" for file in overlay_files(cluster)]:
        code = {"configMap": {"name": f"{cluster.name}-overlay", "defaultMode": 0o644}}
        give("overlay", code, *overlay, single=True)
    give("run", {"emptyDir": {}}, cluster.layout.run, writable=True)
    give("models", of_host(cluster.paths.models), cluster.paths.models_in_container)
    give("driver", of_host("/usr/local/Ascend/driver"), "/usr/local/Ascend/driver")
    size = engine.container(cluster, node).shm_size.lower()
    quantity = f"{size[:-1]}{size[-1].upper()}i" if size[-1].isalpha() else size
    shared = {"emptyDir": {"medium": "Memory", "sizeLimit": quantity}}
    give("shm", shared, "/dev/shm", writable=True)  # noqa: S108  (the container's shared memory)
    if outside := weights_mount(cluster):
        there, inside = outside.split(":")
        give("weights", of_host(there), inside)
    if cluster.multi_node:
        give("hccn", of_host("/etc/hccn.conf", "File"), "/etc/hccn.conf")
    return volumes, mounts

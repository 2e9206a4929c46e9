"""The same service as Kubernetes manifests, for clusters that a Kubernetes already runs. Pure.

One StatefulSet of one pod for each node of hosts.yaml, pinned to it by name: the rank table names the cards
of those machines, so no pod may run elsewhere. Pods use the host's network and ask Ascend's device plugin for
all cards of the node (``huawei.com/Ascend910``, the resource name of Atlas A2 and A3 servers in MindCluster's
documentation). Files come from ConfigMaps by ``subPath``: MindIE refuses symbolic links, which a whole
ConfigMap is made of. Nothing of this was run on Ascend hardware.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from lingctl.engine.files import WantedFile
from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Addresses, Cluster
from lingctl.inventory.places import weights_mount
from lingctl.inventory.sections import Node
from lingctl.release.layout import layout_of
from lingctl.release.wanted import overlay_files, release_files

RESOURCE = "huawei.com/Ascend910"
_LABEL = "app.kubernetes.io"
_PROBE_SECONDS = 10


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
        ConfigurationError: a card's address is not known, or hosts.yaml asks for what a device plugin or a
            manifest cannot give.
    """
    if cluster.https is not None or cluster.inter_node_tls is not None:
        raise ConfigurationError(
            "certificates are not exported: they would stand readable in the manifests",
            where="https, inter_node_tls",
            remedy="export without them, and end TLS in front of the service (an Ingress)",
            code="export-certificates",
        )
    objects: list[dict[str, Any]] = [_overlay(cluster, namespace)] if overlay_files(cluster) else []
    for node in cluster.nodes:
        if node.devices != tuple(range(len(node.devices))):
            raise ConfigurationError(
                f"{node.name} is to use cards {list(node.devices)}: a device plugin only counts cards",
                remedy="use all cards of a node, from 0 on, or deploy without Kubernetes",
                code="cards-not-countable",
            )
        files = release_files(cluster, node, addresses, weights, model_config)
        objects.append(_files(cluster, node, files, namespace))
        objects.append(_stateful_set(cluster, node, files, namespace))
    objects.append(_service(cluster, namespace))
    return objects


def _meta(cluster: Cluster, name: str, namespace: str, **labels: str) -> dict[str, Any]:
    common = {
        f"{_LABEL}/name": engine_of(cluster).about.name,
        f"{_LABEL}/instance": cluster.name,
        f"{_LABEL}/managed-by": "lingctl",
    }
    return {"name": name, "namespace": namespace, "labels": {**common, **labels}}


def _name(cluster: Cluster, node: Node) -> str:
    return f"{cluster.name}-{cluster.nodes.index(node)}"


def _overlay(cluster: Cluster, namespace: str) -> dict[str, Any]:
    data = {file.name: file.content.decode() for file in overlay_files(cluster)}
    meta = _meta(cluster, f"{cluster.name}-overlay", namespace)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def _files(cluster: Cluster, node: Node, files: tuple[WantedFile, ...], namespace: str) -> dict[str, Any]:
    data = {PurePosixPath(file.path).name: file.content.decode() for file in files}
    meta = _meta(cluster, f"{_name(cluster, node)}-files", namespace)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def _service(cluster: Cluster, namespace: str) -> dict[str, Any]:
    selector = {f"{_LABEL}/instance": cluster.name, "lingctl/node": _name(cluster, cluster.primary)}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(cluster, cluster.name, namespace),
        "spec": {
            "selector": selector,
            "ports": [{"name": "http", "port": cluster.serving.port, "targetPort": cluster.serving.port}],
        },
    }


def _stateful_set(
    cluster: Cluster, node: Node, files: tuple[WantedFile, ...], namespace: str
) -> dict[str, Any]:
    name = _name(cluster, node)
    labels = {f"{_LABEL}/instance": cluster.name, "lingctl/node": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": _meta(cluster, name, namespace, **{"lingctl/node": name}),
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
                    "containers": [_container(cluster, node, files)],
                    "volumes": _volumes(cluster, node, name),
                },
            },
        },
    }


def _container(cluster: Cluster, node: Node, files: tuple[WantedFile, ...]) -> dict[str, Any]:
    engine = engine_of(cluster)
    cards = {RESOURCE: str(len(node.devices))}
    container: dict[str, Any] = {
        "name": engine.about.name,
        "image": engine.container(cluster, node).image,
        "command": ["/bin/bash", layout_of(cluster).start],
        "resources": {"limits": cards, "requests": cards},
        "volumeMounts": _mounts(cluster, files),
    }
    # Only the first node answers HTTP; the others are judged by their process alone.
    if node == cluster.primary:
        address = {"host": node.service_address, "port": engine.http.health_port(cluster.serving)}
        ready = {"httpGet": {"path": engine.http.ready_path, **address}, "periodSeconds": _PROBE_SECONDS}
        tries = max(1, cluster.timeouts.start // _PROBE_SECONDS)
        container["startupProbe"] = {**ready, "failureThreshold": tries}
        container["readinessProbe"] = {**ready, "timeoutSeconds": 5}
    return container


def _mounts(cluster: Cluster, files: tuple[WantedFile, ...]) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        {"name": "files", "mountPath": file.path, "subPath": PurePosixPath(file.path).name, "readOnly": True}
        for file in files
    ]
    folder = engine_of(cluster).overlay.folder
    mounts += [
        {"name": "overlay", "mountPath": f"{folder}/{file.name}", "subPath": file.name, "readOnly": True}
        for file in overlay_files(cluster)
    ]
    mounts += [
        {"name": "run", "mountPath": layout_of(cluster).run},
        {"name": "models", "mountPath": cluster.paths.models_in_container, "readOnly": True},
        {"name": "driver", "mountPath": "/usr/local/Ascend/driver", "readOnly": True},
        {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108  (the container's shared memory)
    ]
    if outside := weights_mount(cluster):
        mounts.append({"name": "weights", "mountPath": outside.split(":")[1], "readOnly": True})
    if cluster.multi_node:
        mounts.append({"name": "hccn", "mountPath": "/etc/hccn.conf", "readOnly": True})
    return mounts


def _volumes(cluster: Cluster, node: Node, name: str) -> list[dict[str, Any]]:
    size = engine_of(cluster).container(cluster, node).shm_size.lower()
    quantity = f"{size[:-1]}{size[-1].upper()}i" if size[-1].isalpha() else size
    volumes: list[dict[str, Any]] = [
        # MindIE refuses a config.json or rank table that others may read.
        {"name": "files", "configMap": {"name": f"{name}-files", "defaultMode": 0o640}},
        {"name": "run", "emptyDir": {}},
        {"name": "models", "hostPath": {"path": cluster.paths.models, "type": "Directory"}},
        {"name": "driver", "hostPath": {"path": "/usr/local/Ascend/driver", "type": "Directory"}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": quantity}},
    ]
    if overlay_files(cluster):
        overlay = {"name": f"{cluster.name}-overlay", "defaultMode": 0o644}
        volumes.insert(1, {"name": "overlay", "configMap": overlay})
    if outside := weights_mount(cluster):
        volumes.append({"name": "weights", "hostPath": {"path": outside.split(":")[0], "type": "Directory"}})
    if cluster.multi_node:
        volumes.append({"name": "hccn", "hostPath": {"path": "/etc/hccn.conf", "type": "File"}})
    return volumes

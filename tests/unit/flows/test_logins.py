"""What render --show tells of logins."""

from __future__ import annotations

from pathlib import Path

from lingctl.flows.files.logins import shown_logins
from lingctl.inventory.load import cluster_from
from lingctl.inventory.yaml_text.source import YamlSource


def test_a_login_that_sshs_configuration_decides_is_shown_with_its_lines(tmp_path: Path):
    config = tmp_path / "config"
    config.write_text(
        "Host n1\n HostName 10.0.0.1\n ProxyJump ops@bastion:2222\nHost bastion\n HostName 192.0.2.1\n"
    )
    nodes = "[{address: n1}, {address: 10.0.0.2}]"
    text = f"name: a\nmodel: Ling-plus\nssh: {{config: '{config}'}}\nnodes: {nodes}\n"
    (shown,) = shown_logins(cluster_from(YamlSource(text, "hosts.yaml"), {}))
    assert (shown.node, shown.name) == ("n1", "login")
    assert shown.value == "root@10.0.0.1 through ops@192.0.2.1 port 2222"
    assert shown.source == f"{config}:2, {config}:3"

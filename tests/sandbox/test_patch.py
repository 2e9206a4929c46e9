"""lingctl patch and npu-check as they are typed: on a tree here, and in the containers of a live cluster."""

import shlex
import subprocess

import pytest

from tests.node_overlay.trees import make_tree
from tests.sandbox.live import lingctl

pytestmark = pytest.mark.sandbox


@pytest.fixture
def tree(tmp_path):
    """A tree, and a function that types ``lingctl patch`` on it."""
    root = make_tree(tmp_path)
    environment = {"LINGCTL_ATB_STATE": str(tmp_path / "records")}

    def patch(*words, **options):
        return lingctl("patch", *words, "--root", root, environment=environment, cwd=tmp_path, **options)

    patch.root = root
    return patch


def test_there_and_back(tmp_path, tree):
    pristine = make_tree(tmp_path / "before")
    assert tree("status").status == 3
    shown = tree("diff")
    assert shown.status == 3
    assert "added models/bailing_moe/layout.py" in shown.stdout
    assert tree("apply", "--yes").status == 0
    assert tree("status").status == tree("verify").status == tree("diff").status == 0
    back = tree("revert", "--yes")
    assert back.status == 0
    assert "the tree is as it was before the overlay" in back.stdout
    assert subprocess.run(["diff", "-r", pristine, tree.root]).returncode == 0


def test_nothing_changes_unasked(tree):
    asked = tree("apply")
    assert asked.status == 2
    assert "--yes" in asked.stderr
    assert not (tree.root / "models" / "bailing_moe").exists()


def test_documents(tree):
    tree("apply", "--yes")
    document = tree("status", "--json").document
    assert (document["document"], document["version"]) == ("patch-status", 1)
    place = document["places"][0]
    assert (place["state"], place["delivery"], place["good"]) == ("applied", "copy", True)
    assert place["digest"] == place["shipped"]["digest"]
    recorded = tree("status", "--record", "--json").document["places"][0]["record"]
    assert len(recorded["models/base/router.py"]) == 64
    assert tree("revert", "--yes", "--json").document["places"][0]["identical"] is True


def test_an_edited_loader_is_refused_with_a_remedy(tree):
    loader = tree.root / "models" / "__init__.py"
    loader.write_text(loader.read_text() + "# bailing_moe becomes deepseek\n")
    refused = tree("apply", "--yes")
    assert refused.status == 1
    assert "overlay-upstream-patched" in refused.stderr
    assert "pristine image" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_machine_without_tree_and_without_hosts(tmp_path):
    found = lingctl("patch", "status", cwd=tmp_path)
    assert found.status == 1
    assert "--root PATH" in found.stderr
    assert lingctl("patch", "status", "--host", "--root", "/x", cwd=tmp_path).status == 2


@pytest.fixture(scope="module")
def deployed(pair_cluster):
    """The cluster with its containers and daemons."""
    done = pair_cluster.lingctl("deploy", "--yes", "--no-smoke-test")
    assert done.status == 0, done.said
    return pair_cluster


def test_the_mounted_overlay_is_seen_in_every_container(deployed):
    found = deployed.lingctl("patch", "status", "--json")
    assert found.status == 0, found.said
    places = found.document["places"]
    assert [(place["node"], place["state"], place["delivery"]) for place in places] == [
        ("node1", "applied", "mount"),
        ("node2", "applied", "mount"),
    ]
    assert {place["digest"] for place in places} == {places[0]["shipped"]["digest"]}
    assert deployed.lingctl("patch", "verify").status == 0


def test_a_mount_is_not_changed_by_hand(deployed):
    assert deployed.lingctl("patch", "apply", "--yes").status == 0
    refused = deployed.lingctl("patch", "revert", "--yes")
    assert refused.status == 1
    assert "overlay-mounted" in refused.said


def test_nodes_with_different_overlays_are_a_failure(deployed):
    layout = "/var/lib/lingctl/sandbox/overlay/bailing_moe/layout.py"
    deployed.on("node2", f"cp -p {layout} /tmp/layout.py && echo '# mine' >> {layout}")
    try:
        found = deployed.lingctl("patch", "status", "--json")
        assert found.status == 3
        checks = {
            finding["check"] for finding in found.document["findings"] if finding["verdict"] == "failure"
        }
        assert "overlay-same-everywhere" in checks
        assert [place["state"] for place in found.document["places"]] == ["applied", "modified"]
        assert deployed.lingctl("patch", "apply", "--yes").status == 3
    finally:
        deployed.on("node2", f"cp -p /tmp/layout.py {layout}")
    assert deployed.lingctl("patch", "status").status == 0


def test_npu_check_computes_on_every_card_beside_the_service(deployed):
    assert deployed.lingctl("npu-check").status == 1, "it runs, and nobody allowed that"
    found = deployed.lingctl("npu-check", "--allow-running", "--json")
    assert found.status == 0, found.said
    checks = [finding["check"] for finding in found.document["findings"]]
    assert (checks.count("npu-product"), checks.count("npu-all-reduce")) == (4, 4)


@pytest.mark.parametrize(
    ("fault", "wrong", "words"),
    [
        ("link-down=1", {"npu-all-reduce"}, "did not reach each other"),
        ("card-miscomputes=1", {"npu-product", "npu-all-reduce"}, "computes wrongly"),
    ],
)
def test_a_card_that_cannot_talk_and_one_that_cannot_compute_are_told_apart(deployed, fault, wrong, words):
    with deployed.broken("node2", fault):
        found = deployed.lingctl("npu-check", "--allow-running", "--json")
    assert found.status == 3, found.said
    bad = [finding for finding in found.document["findings"] if finding["verdict"] == "failure"]
    assert {finding["check"] for finding in bad} == wrong
    assert any(words in finding["message"] for finding in bad)


ON_CARDS = """
import datetime, torch, torch_npu
torch.npu.set_device(0)
import torch.distributed as d
d.init_process_group(backend="hccl", init_method="tcp://127.0.0.1:29517", rank=0, world_size=1,
                     timeout=datetime.timedelta(seconds=60))
d.all_reduce(torch.full((4,), 1.0, device="npu:0"))
print("added up")
"""


def test_the_emulated_torch_npu_is_no_kinder_than_the_real_one(deployed):
    """Without CANN's settings it is not there; beside a service HCCL's own ports are taken."""
    run = f"docker exec lingctl-sandbox bash -c {shlex.quote(f'{{}} python3 -c {shlex.quote(ON_CARDS)}')}"
    cann = "source /usr/local/Ascend/ascend-toolkit/set_env.sh;"
    bare = deployed.on("node1", run.replace("{}", "cd /;"))
    assert bare.status == 1
    assert "libhccl.so: cannot open shared object file" in bare.said or "No module named 'torch'" in bare.said
    taken = deployed.on("node1", run.replace("{}", cann))
    assert "EJ0003" in taken.said
    ports = "export HCCL_HOST_SOCKET_PORT_RANGE=auto HCCL_NPU_SOCKET_PORT_RANGE=auto;"
    assert deployed.on("node1", run.replace("{}", cann + ports)).stdout == "added up\n"

"""The emulated docker: words, exit statuses, and what a container sees and survives."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.sandbox.live import Live

pytestmark = pytest.mark.sandbox
IMAGE = "swr.cn-south-1.myhuaweicloud.com/ascendhub/mindie:1.0.0-800I-A2-py311-openeuler24.03-lts"


@pytest.fixture
def node(lite_cluster: Live) -> Live:
    """The node without containers."""
    lite_cluster.on("node1", "docker rm -f $(docker ps -aq) >/dev/null 2>&1")
    return lite_cluster


def run(live: Live, command: str, stdin: str = "") -> tuple[int, str, str]:
    done = live.on("node1", command.replace("IMAGE", IMAGE), stdin)
    return done.status, done.stdout, done.stderr


def test_a_detached_container_lives_and_is_told_of(node: Live) -> None:
    status, out, err = run(
        node,
        "docker run -d --name box --network host --init --shm-size 1g --label a.b=c --device /dev/davinci0 "
        "-v /root/models:/models:ro -e COLOUR=blue IMAGE sleep infinity",
    )
    assert (status, err) == (0, "")
    assert re.fullmatch(r"[0-9a-f]{64}\n", out)
    listed = run(node, "docker ps --format '{{.ID}} {{.Names}} {{.State}} {{.Image}}'")[1]
    assert listed == f"{out[:12]} box running {IMAGE}\n"
    described = json.loads(run(node, "docker inspect box")[1])[0]
    assert described["Id"] == out.strip() and described["Name"] == "/box"
    assert described["State"]["Status"] == "running" and described["State"]["Pid"] > 1
    assert described["Config"]["Labels"] == {"a.b": "c"}
    assert described["Config"]["Cmd"] == ["sleep", "infinity"]
    assert "COLOUR=blue" in described["Config"]["Env"]
    assert described["HostConfig"]["NetworkMode"] == "host"
    assert described["HostConfig"]["ShmSize"] == 1 << 30
    assert described["HostConfig"]["Binds"] == ["/root/models:/models:ro"]
    assert described["HostConfig"]["Devices"][0]["PathOnHost"] == "/dev/davinci0"
    assert described["Mounts"][0]["RW"] is False


def test_a_container_sees_its_devices_mounts_and_processes_only(node: Live) -> None:
    run(
        node,
        "docker run -d --name box --network host --shm-size 256m --device /dev/davinci2 "
        "-v /root/models:/models -v /etc/hccn.conf:/etc/hccn.conf:ro IMAGE sleep infinity",
    )
    seen = run(node, "docker exec box sh -c 'ls /dev | grep davinci; ls /models; df -m /dev/shm | tail -1'")[
        1
    ]
    first, *_, last = seen.splitlines()
    assert first == "davinci2" and "Ling_lite" in seen and " 256 " in last
    assert run(node, "docker exec box sh -c 'echo x >>/etc/hccn.conf'")[0] != 0
    assert run(node, "docker exec box touch /models/from-inside")[0] == 0
    assert run(node, "rm /root/models/from-inside")[0] == 0
    processes = run(node, "docker exec box ps -e -o pid=,args=")[1].splitlines()
    assert processes[0].split() == ["1", "sleep", "infinity"]
    assert len(processes) == 2
    assert run(node, "docker exec box hostname")[1] == "node1\n"
    assert run(node, "docker exec box ls /var/lib/docker")[0] != 0
    assert "npu-smi 24.1.0" not in run(node, "docker exec box npu-smi info")[1]


def test_npu_smi_in_a_container_shows_its_cards(node: Live) -> None:
    mounts = "-v /usr/local/sbin:/usr/local/sbin:ro -v /usr/local/Ascend/driver:/usr/local/Ascend/driver:ro"
    cards = "--device /dev/davinci2 --device /dev/davinci3"
    shown = run(node, f"docker run --rm {cards} {mounts} IMAGE npu-smi info -l")[1]
    assert "Total Count                    : 2" in shown and "NPU ID                         : 3" in shown
    status, out, _ = run(node, f"docker run --rm {mounts} IMAGE npu-smi info")
    assert status == 187 and "dcmi module initialize failed. ret is -8005" in out
    every = run(node, f"docker run --rm --privileged {mounts} IMAGE npu-smi info -l")[1]
    assert "Total Count                    : 8" in every


def test_a_card_is_of_one_unprivileged_container_until_that_ends(node: Live) -> None:
    mounts = "-v /usr/local/sbin:/usr/local/sbin:ro -v /usr/local/Ascend/driver:/usr/local/Ascend/driver:ro"
    two, beside = "--device /dev/davinci2 --device /dev/davinci3", "--device /dev/davinci4"

    def smi(cards: str) -> tuple[int, str]:
        return run(node, f"docker run --rm {cards} {mounts} IMAGE npu-smi info")[:2]

    run(node, f"docker run -d --name box {two} {mounts} IMAGE sleep infinity")
    assert smi(two)[0] == 0, "to have it is not to use it"
    assert run(node, "docker exec box npu-smi info")[0] == 0
    status, said = smi("--device /dev/davinci3")
    words = "dcmi model initialized failed, because the device is used. ret is -8020"
    assert (status, said.splitlines()[1:]) == (172, [words])
    assert run(node, "docker exec box npu-smi info")[0] == run(node, "npu-smi info")[0] == 0
    assert smi(beside)[0] == smi("--privileged")[0] == 0
    run(node, "docker kill box")
    assert smi(two)[0] == 0


def test_exec_passes_streams_status_and_input(node: Live) -> None:
    run(node, "docker run -d --name box IMAGE sleep infinity")
    assert run(node, "docker exec box sh -c 'echo out; echo err >&2; exit 9'") == (9, "out\n", "err\n")
    assert run(node, "docker exec -i box wc -c", stdin="12345")[1].strip() == "5"
    assert run(node, "docker exec box wc -c", stdin="12345")[1].strip() == "0"
    assert run(node, "docker exec -e WHO=me -w /usr/local box sh -c 'echo $WHO $PWD'")[1] == "me /usr/local\n"
    status, _, err = run(node, "docker exec box no-such-program")
    assert status == 127 and '"no-such-program": executable file not found in $PATH' in err
    assert run(node, "docker exec -t box no-such-program") == (status, "", err)
    assert run(node, "docker exec box /etc/passwd")[0] == 126


def test_a_detached_exec_outlives_its_command(node: Live) -> None:
    run(node, "docker run -d --name box --init IMAGE sleep infinity")
    begun = time.monotonic()
    status, out, err = run(node, "docker exec -d box sh -c 'sleep 0.5; echo late >/tmp/late; sleep 60'")
    assert (status, out, err) == (0, "", "") and time.monotonic() - begun < 50
    assert node.until("node1", "docker exec box grep . /tmp/late").stdout == "late\n"
    assert "sleep 60" in run(node, "docker exec box ps -e -o args=")[1]


def test_what_exec_starts_goes_on_when_its_client_is_killed(node: Live) -> None:
    run(node, "docker run -d --name box --init IMAGE sleep infinity")
    begun = "until ps -e -o args= | grep -qx 'sleep 333'; do sleep 0.1; done"
    assert run(node, f"docker exec box sleep 333 & {begun}; kill $!; wait $!")[0] != 0
    assert "sleep 333" in run(node, "docker exec box ps -e -o args=")[1]


def test_exec_does_not_wait_for_what_it_leaves_behind(node: Live) -> None:
    run(node, "docker run -d --name box --init IMAGE sleep infinity")
    begun = time.monotonic()
    assert run(node, "docker exec box sh -c 'sleep 50 & echo started'")[1] == "started\n"
    assert time.monotonic() - begun < 45
    assert "sleep 50" in run(node, "docker exec box ps -e -o args=")[1]


def test_stop_sends_term_first_and_kill_when_the_time_is_over(node: Live) -> None:
    run(node, "docker run -d --name polite --init IMAGE sleep infinity")
    begun = time.monotonic()
    assert run(node, "docker stop -t 60 polite") == (0, "polite\n", "")
    assert time.monotonic() - begun < 50
    assert run(node, "docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' polite")[1] == "exited 143\n"
    # Process 1 without a handler hears no TERM: that is what --init is for.
    run(node, "docker run -d --name deaf IMAGE sleep infinity")
    begun = time.monotonic()
    assert run(node, "docker stop -t 1 deaf") == (0, "deaf\n", "")
    assert time.monotonic() - begun >= 1
    assert run(node, "docker inspect -f '{{.State.ExitCode}}' deaf")[1] == "137\n"
    assert "Exited (137)" in run(node, "docker ps -a --filter name=deaf")[1]
    assert run(node, "docker exec deaf true")[0] == 1


def test_start_keeps_the_files_of_before(node: Live) -> None:
    run(node, "docker run -d --name box --init IMAGE sleep infinity")
    run(node, "docker exec box sh -c 'echo mine >/opt/kept'")
    run(node, "docker stop box")
    assert run(node, "docker start box") == (0, "box\n", "")
    assert run(node, "docker exec box cat /opt/kept")[1] == "mine\n"
    assert run(node, "docker restart -t 1 box")[0] == 0
    assert run(node, "docker exec box cat /opt/kept")[1] == "mine\n"


def test_the_end_of_process_1_ends_all_others(node: Live) -> None:
    run(node, "docker run -d --name box IMAGE sh -c 'sleep 1; exit 3'")
    run(node, "docker exec -d box sleep 444")
    assert run(node, "docker wait box")[1] == "3\n"
    assert run(node, "docker inspect -f '{{.State.ExitCode}}' box")[1] == "3\n"
    assert "sleep 444" not in run(node, "ps -e -o args=")[1]


def test_run_in_the_foreground_passes_output_and_status_and_cleans_up(node: Live) -> None:
    assert run(node, "docker run --rm IMAGE sh -c 'echo out; echo err >&2; exit 5'") == (5, "out\n", "err\n")
    assert run(node, "docker ps -aq")[1] == ""
    run(node, "docker run --name once IMAGE echo said")
    assert run(node, "docker logs once")[1] == "said\n"
    assert (
        run(node, "docker run --rm --network none IMAGE sh -c 'ls /sys/class/net 2>/dev/null; hostname'")[0]
        == 0
    )


def test_networks_are_apart_unless_they_are_the_hosts(node: Live) -> None:
    address = node.address("node1")
    serve = f"import socket, time; s = socket.create_server(('{address}', 45671)); time.sleep(600)"
    probe = f"import socket; socket.create_connection(('{address}', 45671), 1)"
    # A network of its own has the whole of 127.0.0.0/8 to itself.
    run(node, f'docker run -d --name far IMAGE python3 -c "{serve}"')
    node.until("node1", f'docker exec far python3 -c "{probe}"')
    assert run(node, f'python3 -c "{probe}"')[0] != 0
    run(node, f'docker run -d --name near --network host IMAGE python3 -c "{serve}"')
    node.until("node1", f'python3 -c "{probe}"')


def test_logs_keep_their_streams(node: Live) -> None:
    run(node, "docker run -d --name box IMAGE sh -c 'for i in 1 2 3; do echo out $i; echo err $i >&2; done'")
    run(node, "docker wait box")
    assert run(node, "docker logs box") == (0, "out 1\nout 2\nout 3\n", "err 1\nerr 2\nerr 3\n")
    tail = run(node, "docker logs --tail 2 box")
    assert len((tail[1] + tail[2]).splitlines()) == 2


@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        ("docker run nothing:1 true", 125, "Unable to find image 'nothing:1' locally"),
        ("docker run nothing:1 true", 125, "no such host"),
        ("docker pull some/image:1", 1, "no such host"),
        ("docker run IMAGE nosuch", 127, "executable file not found in $PATH"),
        ("docker run -d --device /dev/davinci9 IMAGE true", 125, 'custom device "/dev/davinci9"'),
        ("docker run --shm-size lots IMAGE true", 125, 'invalid argument "lots" for "--shm-size" flag'),
        ("docker run --nosuch IMAGE true", 125, "unknown flag: --nosuch"),
        ("docker run --name x IMAGE true", 125, "Invalid container name (x)"),
        ("docker run -v relative:/x IMAGE true", 125, "not emulated"),
        ("docker run -v /tmp:relative IMAGE true", 125, "mount path must be absolute"),
        ("docker run --restart always IMAGE true", 125, "--restart always is not emulated"),
        ("docker run --network lan IMAGE true", 125, "network lan not found"),
        ("docker run --gpus all IMAGE true", 125, "unknown flag: --gpus"),
        ("docker inspect gone", 1, "Error: No such object: gone"),
        ("docker image inspect gone:1", 1, "Error: No such image: gone:1"),
        ("docker exec gone true", 1, "Error: No such container: gone"),
        ("docker stop gone", 1, "Error response from daemon: No such container: gone"),
        ("docker start gone", 1, "Error: failed to start containers: gone"),
        ("docker logs gone", 1, "Error: No such container: gone"),
        ("docker rm gone", 1, "Error: No such container: gone"),
        ("docker rm -f gone", 0, "Error: No such container: gone"),
        ("docker compose up", 1, "'compose' is not a docker command, or not one that the sandbox emulates"),
        ("docker inspect --format '{{.Nope}}' IMAGE", 1, 'map has no entry for key "Nope"'),
    ],
)
def test_refusals_have_dockers_words_and_status(node: Live, command: str, status: int, told: str) -> None:
    done = run(node, command)
    assert done[0] == status
    assert told in done[2]


def test_a_name_is_taken_until_its_container_is_removed(node: Live) -> None:
    run(node, "docker run -d --name box IMAGE sleep infinity")
    status, _, err = run(node, "docker run -d --name box IMAGE sleep infinity")
    assert status == 125 and 'The container name "/box" is already in use by container' in err
    status, _, err = run(node, "docker rm box")
    assert status == 1 and "You cannot remove a running container" in err
    assert run(node, "docker rm -f box") == (0, "box\n", "")
    assert run(node, "docker run -d --name box IMAGE sleep infinity")[0] == 0


def test_a_container_that_could_not_start_stays_as_created(node: Live) -> None:
    status, out, _ = run(node, "docker run -d --name box --device /dev/davinci9 IMAGE sleep 1")
    assert status == 125 and re.fullmatch(r"[0-9a-f]{64}\n", out)
    assert run(node, "docker inspect -f '{{.State.Status}}' box")[1] == "created\n"


def test_inspect_of_nothing_prints_an_empty_list(node: Live) -> None:
    assert run(node, "docker inspect gone")[1] == "[]\n"


def test_filters_and_formats_of_ps(node: Live) -> None:
    run(node, "docker run -d --name box-one --label kind=a IMAGE sleep infinity")
    run(node, "docker run -d --name box-two --label kind=b IMAGE true")
    run(node, "docker wait box-two")
    names = "--format '{{.Names}}'"
    assert run(node, f"docker ps {names}")[1] == "box-one\n"
    assert run(node, f"docker ps -a {names} --filter name=box")[1] == "box-two\nbox-one\n"
    assert run(node, f"docker ps {names} --filter name=^/box-one$")[1] == "box-one\n"
    assert run(node, f"docker ps -a {names} --filter status=exited")[1] == "box-two\n"
    assert run(node, f"docker ps -a {names} --filter label=kind=a")[1] == "box-one\n"
    assert run(node, "docker ps -a --format '{{.Label \"kind\"}}'")[1] == "b\na\n"
    assert run(node, "docker ps --format 'table {{.Names}}\t{{.State}}'")[1].split() == [
        "NAMES",
        "STATE",
        "box-one",
        "running",
    ]
    assert json.loads(run(node, "docker ps --format '{{json .}}'")[1])["Names"] == "box-one"
    assert run(node, "docker inspect -f '{{index .Config.Labels \"kind\"}}' box-one")[1] == "a\n"
    assert (
        run(
            node,
            "docker inspect -f '{{range .Mounts}}x{{end}}{{if .State.Running}}up{{else}}down{{end}}' box-one",
        )[1]
        == "up\n"
    )


def test_images_and_versions(node: Live) -> None:
    assert run(node, "docker images --format '{{.Repository}}:{{.Tag}}'")[1] == f"{IMAGE}\n"
    described = json.loads(run(node, "docker image inspect IMAGE")[1])[0]
    assert described["RepoTags"] == [IMAGE] and described["Architecture"] == "arm64"
    assert run(node, "docker image inspect -f '{{.Id}}' IMAGE")[1].startswith("sha256:")
    assert run(node, "docker version --format '{{.Server.Version}}'")[1] == "20.10.21\n"
    assert "Server Version: 20.10.21" in run(node, "docker info")[1]


def test_an_image_that_was_saved_can_be_loaded_where_it_is_missing(node: Live) -> None:
    assert run(node, "docker save -o /tmp/image.tar IMAGE")[0] == 0
    with node.broken("node1", "image-missing"):
        assert run(node, "docker image inspect IMAGE")[0] == 1
        assert run(node, "docker run --rm IMAGE true")[0] == 125
        assert run(node, "docker load -i /tmp/image.tar") == (0, f"Loaded image: {IMAGE}\n", "")
        assert (
            run(node, "docker run --rm IMAGE ls /usr/local/Ascend/mindie/latest/mindie-service/bin")[0] == 0
        )
        assert run(node, "docker rmi IMAGE")[0] == 0
        assert run(node, "docker image inspect IMAGE")[0] == 1
    status, _, err = run(node, "docker load -i /etc/hostname")
    assert status == 1 and "Error processing tar file" in err
    assert "no such file" in run(node, "docker load -i /nowhere.tar")[2]


def test_a_daemon_that_is_down_answers_nothing_and_its_containers_go_on(node: Live) -> None:
    run(node, "docker run -d --name box --init IMAGE sleep 777")
    down = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
    with node.broken("node1", "docker-down"):
        for command in ("docker ps", "docker inspect box", "docker stop box", "docker version"):
            status, _, err = run(node, command)
            assert status == 1 and down in err
        assert run(node, "docker run IMAGE true")[0] == 125
        assert "sleep 777" in run(node, "ps -e -o args=")[1]
    assert run(node, "docker exec box true")[0] == 0


def test_power_off_leaves_containers_stopped_and_files_kept(node: Live) -> None:
    run(node, "docker run -d --name box --init IMAGE sleep infinity; echo kept >/root/models/kept")
    node.break_("node1", "power-off")
    node.heal("node1", "power-off")
    assert run(node, "docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' box")[1] == "exited 255\n"
    assert run(node, "cat /root/models/kept; rm /root/models/kept")[1] == "kept\n"
    assert run(node, "docker start box")[0] == 0


def test_the_python_of_the_image_finds_the_images_packages(modern_cluster: Live) -> None:
    name = modern_cluster.on("node1", "docker images --format '{{.Repository}}:{{.Tag}}'").stdout.strip()
    done = modern_cluster.on(
        "node1", f"docker run --rm {name} python3 -c 'import atb_llm; print(atb_llm.__file__)'"
    )
    assert done.stdout == "/usr/local/lib/python3.11/site-packages/atb_llm/__init__.py\n", done.said

"""The emulated tools say what captures of the real ones say, in the same shape, on the same stream."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lingctl.checks.remedies import set_mtu
from tests.sandbox.live import Live, Result

pytestmark = pytest.mark.sandbox
SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"


def sample(name: str) -> str:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"the captures of real tools are not here ({SAMPLES})")
    return path.read_text()


def shape(text: str) -> list[str]:
    """A text without its values: numbers and addresses are one sign, runs of blanks another."""
    plain = re.sub(r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b", "#", text)
    plain = re.sub(r"\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3}\b", "#", plain)
    plain = re.sub(r"\d[\d.:/]*", "#", plain)
    return [re.sub(r"\s+", " ", line).strip() for line in plain.strip().splitlines()]


def hccn(live: Live, *words: str, node: str = "node1") -> Result:
    return live.on(node, f"/usr/local/Ascend/driver/tools/hccn_tool {' '.join(words)}")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("-i 0 -ip -g", "hccn_tool-ip-a2-card0.txt"),
        ("-i 0 -gateway -g", "hccn_tool-gateway-a2-card0.txt"),
        ("-i 0 -netdetect -g", "hccn_tool-netdetect-a2-address.txt"),
        ("-i 0 -net_health -g", "hccn_tool-net_health-success.txt"),
        ("-i 0 -mtu -g", "hccn_tool-mtu.txt"),
        ("-i 0 -mac -g", "hccn_tool-mac.txt"),
        ("-i 0 -speed -g", "hccn_tool-speed-200g.txt"),
        ("-i 0 -duplex -g", "hccn_tool-duplex-full.txt"),
        ("-i 0 -process -g", "hccn_tool-process-exist.txt"),
        ("-i 0 -pfc -g", "hccn_tool-pfc.txt"),
        ("-i 3 -route -g", "hccn_tool-route-a2.txt"),
        ("-i 0 -link_stat -g", "hccn_tool-link_stat-new-downcount.txt"),
        ("-i 0 -stat -g", "hccn_tool-stat-full-names.txt"),
        ("-i 0 -cfg status", "hccn_tool-cfg-status-none.txt"),
        ("-a -cfg recovery", "hccn_tool-cfg-recovery-all-a2.txt"),
    ],
)
def test_hccn_tool_answers_in_the_shape_of_a_real_one(lite_cluster: Live, words: str, name: str) -> None:
    done = hccn(lite_cluster, words)
    assert (done.status, done.stderr) == (0, "")
    assert shape(done.stdout) == shape(sample(name))


def test_optics_have_the_lines_of_a_capture(lite_cluster: Live) -> None:
    def keys(text: str) -> list[str]:
        return [line.partition(":")[0].strip() for line in text.splitlines()]

    assert keys(hccn(lite_cluster, "-i 0 -optical -g").stdout) == keys(
        sample("hccn_tool-optical-910a-full.txt")
    )


@pytest.mark.parametrize(
    ("words", "name", "status", "stream"),
    [
        ("-i 99 -link -g", "hccn_tool-err-invalid-device-id.txt", 4, "stderr"),
        ("-i abc -link -g", "hccn_tool-err-invalid-device-id.txt", 4, "stderr"),
        ("-i 0 -nosuch -g", "hccn_tool-err-major-cmd.txt", 3, "stderr"),
        ("-i 0 -net_health", "hccn_tool-err-param-count.txt", 4, "stderr"),
        ("-i 0 -hccs_ping -g address 1.2.3.4", "hccn_tool-hccs_ping-unsupported.txt", 13, "stdout"),
        ("-i 0 -ip -s address 300.1.1.1 netmask 255.255.255.0", "hccn_tool-ip-set-invalid.txt", 6, "stderr"),
        ("-i 0 -gateway -s gateway 10.9.9.1", "hccn_tool-gateway-set-diff-segment.txt", 8, "stderr"),
    ],
)
def test_hccn_tool_refuses_with_the_real_words(
    lite_cluster: Live, words: str, name: str, status: int, stream: str
) -> None:
    done = hccn(lite_cluster, words)
    assert done.status == status
    assert getattr(done, stream) == sample(name)
    assert (done.stdout if stream == "stderr" else done.stderr) == ""


@pytest.mark.parametrize(
    ("fault", "words", "name", "status", "stream"),
    [
        ("link-down=3", "-i 3 -link -g", "hccn_tool-link-down.txt", 0, "stdout"),
        ("link-down=3", "-i 3 -net_health -g", "hccn_tool-net_health-fault.txt", 0, "stdout"),
        ("link-down=3", "-i 3 -speed -g", "hccn_tool-speed-unknown.txt", 0, "stdout"),
        ("link-down=3", "-i 3 -lldp -g", "hccn_tool-lldp-empty-guess.txt", 0, "stdout"),
        ("no-address=3", "-i 3 -ip -g", "hccn_tool-ip-not-preset.txt", 13, "stderr"),
        ("no-address=3", "-i 3 -net_health -g", "hccn_tool-net_health-socket-fail.txt", 0, "stdout"),
        ("no-gateway=3", "-i 3 -gateway -g", "hccn_tool-gateway-not-preset.txt", 2, "stderr"),
        ("no-netdetect=3", "-i 3 -net_health -g", "hccn_tool-net_health-init.txt", 0, "stdout"),
        ("tls-no-certificate=3", "-i 3 -tls -g", "hccn_tool-tls-no-cert.txt", 14, "stderr"),
        ("busy", "-i 3 -tls -g", "hccn_tool-tls-busy.txt", 11, "stdout"),
        ("card-missing=3", "-i 3 -link -g", "hccn_tool-err-invalid-device-id.txt", 4, "stderr"),
    ],
)
def test_a_fault_shows_as_it_does_on_the_real_tool(
    lite_cluster: Live, fault: str, words: str, name: str, status: int, stream: str
) -> None:
    with lite_cluster.broken("node1", fault):
        done = hccn(lite_cluster, words)
    assert done.status == status
    assert getattr(done, stream) == sample(name)


def test_tls_can_be_switched_and_the_switch_is_kept(lite_cluster: Live) -> None:
    with lite_cluster.broken("node1", "tls-on=2"):
        assert hccn(lite_cluster, "-i 2 -tls -g").stdout.startswith("dev_id:2, tls switch[1](0:disable")
        assert "tls_enable_2=1" in lite_cluster.on("node1", "cat /etc/hccn.conf").stdout
        assert hccn(lite_cluster, "-i 2 -tls -s enable 0").stdout == sample("hccn_tool-tls-set-0-ok.txt")
        assert hccn(lite_cluster, "-i 2 -tls -g").stdout.startswith("dev_id:2, tls switch[0](0:disable")
        assert "tls_enable_2=0" in lite_cluster.on("node1", "cat /etc/hccn.conf").stdout
        on = hccn(lite_cluster, "-i 2 -tls -s enable 1").stdout
        assert on == sample("hccn_tool-tls-set-1-preset-warning.txt")
        hccn(lite_cluster, "-i 2 -tls -s enable 0")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("-mtu -s value 4200", 3, "Get unknown option!"),
        ("-mtu -s size", 4, "The total count of input parameters is wrong!"),
        ("-mtu -s size much", 1, "Get invalid parameters!"),
        ("-mtu -s size 9703", 13, "The value of mtu you input is out of the valid range!"),
        ("-mtu -s size 1000", 22, "User aborts command."),
        ("-link -s down", 22, "User aborts command."),
        ("-netdetect -s address 255.255.255.255", 37, "Can not config broadcast address!"),
        ("-ip -s address 0.0.0.0 netmask 255.0.0.0", 6, "The ip address you configured is invalid!"),
        ("-ip -s address 10.0.0.2 netmask 255.0.255.0", 6, "The ip address you configured is invalid!"),
        ("-ip -s address 10.0.0.2 gateway 10.0.0.1", 3, "Get unknown option!"),
        ("-tls -s enable 2", 16, "Get invalid enable value!"),
        ("-tls -s enable 0 host", 3, "not emulated"),
        ("-tls -s enable 0 guest", 29, "The host flag should be the last config item!"),
        ("-link -g now", 3, "Get unknown option!"),
    ],
)
def test_hccn_tool_refuses_what_the_published_tool_refuses(
    lite_cluster: Live, words: str, status: int, said: str
) -> None:
    before = lite_cluster.state["nodes"][0]["cards"][0]
    done = lite_cluster.on("node1", f"/usr/local/Ascend/driver/tools/hccn_tool -i 0 {words} </dev/null")
    assert (done.status, said in done.said) == (status, True), done.said
    assert lite_cluster.state["nodes"][0]["cards"][0] == before


def test_an_mtu_is_set_as_a_remedy_says_and_recovered_from_hccn_conf(lite_cluster: Live) -> None:
    assert hccn(lite_cluster, *set_mtu(5, 4200).split()[1:]).stdout == "Cmd executed successfully!\n"
    assert hccn(lite_cluster, "-i 5 -mtu -g").stdout == "mtu:4200\n"
    lite_cluster.on("node1", "sed -i s/mtu_5=.*/mtu_5=1500/ /etc/hccn.conf")
    assert hccn(lite_cluster, "-i 5 -cfg recovery").status == 0
    assert hccn(lite_cluster, "-i 5 -mtu -g").stdout == "mtu:1500\n"


def test_recovery_brings_no_link_up_and_needs_hccn_conf(lite_cluster: Live) -> None:
    with lite_cluster.broken("node1", "link-down=3"):
        assert hccn(lite_cluster, "-i 3 -cfg recovery").status == 0
        assert hccn(lite_cluster, "-i 3 -link -s up").status == 0
        assert hccn(lite_cluster, "-i 3 -link -g").stdout == "link status: DOWN\n"
    with lite_cluster.broken("node1", "conf-missing"):
        done = hccn(lite_cluster, "-a -cfg recovery")
        assert (done.status, done.stderr) == (29, sample("hccn_tool-err-conf-access.txt"))
        assert done.stdout == ("Recovery failed. Check '/var/log/hccn_tool/hccn_config.log' for details.\n")


def test_a_new_network_loses_the_gateway_of_the_old_one(lite_cluster: Live) -> None:
    card = lite_cluster.state["nodes"][0]["cards"][7]
    hccn(lite_cluster, "-i 7 -ip -s address 10.9.9.9 netmask 255.255.255.0")
    assert hccn(lite_cluster, "-i 7 -gateway -g").status == 2
    assert "gateway_7" not in lite_cluster.on("node1", "cat /etc/hccn.conf").stdout
    hccn(lite_cluster, f"-i 7 -ip -s address {card['address']} netmask {card['netmask']}")
    assert hccn(lite_cluster, f"-i 7 -gateway -s gateway {card['gateway']}").status == 0
    assert lite_cluster.state["nodes"][0]["cards"][7] == card


def test_pings_cross_the_cluster_unless_something_is_wrong(plus_cluster: Live) -> None:
    state = {node["name"]: node for node in plus_cluster.state["nodes"]}
    target = state["node2"]["cards"][5]["address"]
    good = hccn(plus_cluster, f"-i 1 -ping -g address {target}")
    assert good.status == 0
    assert shape(good.stdout) == shape(sample("hccn_tool-ping-a2-hwcloud-ok.txt"))
    nobody = hccn(plus_cluster, "-i 1 -ping -g address 29.1.1.1")
    assert nobody.status == 1 and "100.00% packet loss" in nobody.stdout
    lost = sample("hccn_tool-ping-loss-100pct-guess.txt")
    with plus_cluster.broken("node2", "link-down=5"):
        down = hccn(plus_cluster, f"-i 1 -ping -g address {target}")
        assert down.status == 1
        assert shape(down.stdout + down.stderr) == shape(lost)
    with plus_cluster.broken("node2", "ping-loss=5:33"):
        some = hccn(plus_cluster, f"-i 1 -ping -g address {target}")
        assert some.status == 1 and "2 received, 33.33% packet loss" in some.stdout
    with plus_cluster.broken("node1", f"duplicate-address=0:{target}"):
        assert hccn(plus_cluster, f"-i 1 -ping -g address {target}").status == 1


def test_two_calls_at_once_collide(lite_cluster: Live) -> None:
    with lite_cluster.broken("node1", "slow-tools=0.6"):
        done = lite_cluster.on(
            "node1",
            "cd /usr/local/Ascend/driver/tools; ./hccn_tool -i 0 -link -g & sleep 0.3; "
            "./hccn_tool -i 1 -link -g; echo status $?; wait",
        )
    assert "hccn_tool is busy, please try again.\nstatus 11" in done.stdout


def test_a_card_that_hangs_blocks_until_timeout_ends_it(lite_cluster: Live) -> None:
    with lite_cluster.broken("node1", "card-hang=4"):
        tool = "/usr/local/Ascend/driver/tools/hccn_tool"
        assert lite_cluster.on("node1", f"timeout 0.5 {tool} -i 4 -link -g").status == 124
        assert lite_cluster.on("node1", f"timeout 5 {tool} -i 5 -link -g").status == 0


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("info -l", "npu-smi-l-a2-8cards.txt"),
        ("info -t common -i 1", "npu-smi-common-a2.txt"),
        ("info -t usages -i 0", "npu-smi-usages-a2.txt"),
        ("info -i 1 -t board", "npu-smi-board-card-910a.txt"),
    ],
)
def test_npu_smi_answers_in_the_shape_of_a_real_one(lite_cluster: Live, words: str, name: str) -> None:
    done = lite_cluster.on("node1", f"npu-smi {words}")
    assert (done.status, done.stderr) == (0, "")
    assert shape(done.stdout) == shape(sample(name))


def test_the_table_of_npu_smi_has_the_columns_of_a_capture(lite_cluster: Live) -> None:
    lines = lite_cluster.on("node1", "npu-smi info").stdout.splitlines()
    real = sample("npu-smi-info-a2-910b1-24.1.0-excerpt.txt").splitlines()
    assert lines[:6] == real[:6]
    for ours, theirs in zip(lines[6:12], real[6:12], strict=True):
        assert [len(part) for part in ours.split("|")] == [len(part) for part in theirs.split("|")]
    names = sample("npu-smi-m-a2-8cards.txt").splitlines()
    mapping = lite_cluster.on("node1", "npu-smi info -m").stdout.splitlines()
    assert [line.split() for line in mapping[:1]] == [line.split() for line in names[:1]]
    assert len(mapping) == len(names)


def test_a_missing_card_is_missing_everywhere(lite_cluster: Live) -> None:
    with lite_cluster.broken("node1", "card-missing=6"):
        assert lite_cluster.on("node1", "ls /dev/davinci6").status != 0
        assert len(lite_cluster.on("node1", "ls /sys/bus/pci/devices").stdout.split()) == 7
        assert "Total Count                    : 7" in lite_cluster.on("node1", "npu-smi info -l").stdout
        gone = lite_cluster.on("node1", "npu-smi info -i 6 -t board")
        assert gone.status != 0 and gone.stdout.startswith("Invalid card id.\nError parameter of -i")
    assert lite_cluster.on("node1", "ls /dev/davinci6").status == 0


def test_an_alarm_is_told_in_table_and_query(lite_cluster: Live) -> None:
    with lite_cluster.broken("node1", "card-alarm=1"):
        assert re.search(r"^\| 1 +910B4 +\| Alarm ", lite_cluster.on("node1", "npu-smi info").stdout, re.M)
        assert "Alarm" in lite_cluster.on("node1", "npu-smi info -t health -i 1").stdout
        assert "OK" in lite_cluster.on("node1", "npu-smi info -t health -i 2").stdout


def test_files_of_a_host(lite_cluster: Live) -> None:
    def keys(text: str) -> list[str]:
        return [line.partition("=")[0] for line in text.splitlines()]

    driver = lite_cluster.on("node1", "cat /usr/local/Ascend/driver/version.info").stdout
    assert keys(driver) == keys(sample("driver-version.info-24.1.rc1.txt"))
    firmware = lite_cluster.on("node1", "cat /usr/local/Ascend/firmware/version.info").stdout
    assert keys(firmware) == keys(sample("firmware-version.info-7.1.0.11.220.txt"))
    install = lite_cluster.on("node1", "cat /etc/ascend_install.info").stdout
    assert sorted(keys(install)) == sorted(keys(sample("ascend_install.info-keys.txt")))
    conf = lite_cluster.on("node1", "cat /etc/hccn.conf").stdout
    assert sorted(keys(conf)) == sorted(keys(sample("hccn_conf-a2-8npu-tls.txt")))


def test_faults_of_files_and_clock(lite_cluster: Live) -> None:
    with lite_cluster.broken("node1", "driver-differs=23.0.7"):
        assert (
            "Version=23.0.7\n" in lite_cluster.on("node1", "cat /usr/local/Ascend/driver/version.info").stdout
        )
        assert "npu-smi 23.0.7" in lite_cluster.on("node1", "npu-smi info").stdout
    with lite_cluster.broken("node1", "conf-differs=2"):
        conf = lite_cluster.on("node1", "grep address_2= /etc/hccn.conf").stdout.strip()
        live = hccn(lite_cluster, "-i 2 -ip -g").stdout.splitlines()[0]
        assert conf.partition("=")[2] != live.partition(":")[2]
    with lite_cluster.broken("node1", "conf-missing"):
        assert lite_cluster.on("node1", "cat /etc/hccn.conf").status != 0
    assert lite_cluster.on("node1", "cat /etc/hccn.conf").status == 0
    with lite_cluster.broken("node1", "clock-skew=300"):
        ours, theirs = lite_cluster.on("node1", "date +%s; /usr/bin/date +%s").stdout.split()
        assert 299 <= int(ours) - int(theirs) <= 301
    with lite_cluster.broken("node1", "tool-missing"):
        assert hccn(lite_cluster, "-i 0 -ip -g").status == 127
    with lite_cluster.broken("node1", "no-python"):
        assert lite_cluster.on("node1", "python3 -c pass").status == 126
    assert lite_cluster.on("node1", "python3 -c pass").status == 0
    with lite_cluster.broken("node1", "root-info-stale"):
        assert "29.1.0.1" in lite_cluster.on("node1", "cat /etc/hccl_rootinfo.json").stdout
    with lite_cluster.broken("node1", "port-taken=1025,1026"):
        address = lite_cluster.address("node1")
        taken = lite_cluster.on("node1", f"ss -Hltn 'sport = :1025 or sport = :1026' | grep -c {address}")
        assert taken.stdout.strip() == "2"

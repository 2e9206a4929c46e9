"""Configurations of servers and clients: each sets a world up and says how a login ends there.

The first line of a case's docstring is its row in docs/how-to/ssh.md. A case gives the code of the refusal,
or nothing where the node answers.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import inspect
from collections.abc import Callable

from tests.cluster.login.world import ME, World

Case = Callable[[World], str]
CASES: dict[str, Case] = {}
IN = ""


def case(function: Case) -> Case:
    CASES[function.__name__.replace("_", " ")] = function
    return function


def row(function: Case) -> str:
    return (inspect.getdoc(function) or "").splitlines()[0]


# -- algorithms


def only(world: World, *settings: str) -> str:
    world.server("node", *settings)
    world.hosts()
    return IN


@case
def key_exchange_curve25519(world: World) -> str:
    """`KexAlgorithms curve25519-sha256`, by this name alone"""
    return only(world, "KexAlgorithms curve25519-sha256")


@case
def key_exchange_group14(world: World) -> str:
    """`KexAlgorithms diffie-hellman-group14-sha256`"""
    return only(world, "KexAlgorithms diffie-hellman-group14-sha256")


@case
def key_exchange_group16(world: World) -> str:
    """`KexAlgorithms diffie-hellman-group16-sha512`"""
    return only(world, "KexAlgorithms diffie-hellman-group16-sha512")


@case
def key_exchange_group18(world: World) -> str:
    """`KexAlgorithms diffie-hellman-group18-sha512`"""
    return only(world, "KexAlgorithms diffie-hellman-group18-sha512")


@case
def key_exchange_group_exchange(world: World) -> str:
    """`KexAlgorithms diffie-hellman-group-exchange-sha256`"""
    return only(world, "KexAlgorithms diffie-hellman-group-exchange-sha256")


@case
def key_exchange_nist(world: World) -> str:
    """`KexAlgorithms ecdh-sha2-nistp521`"""
    return only(world, "KexAlgorithms ecdh-sha2-nistp521")


@case
def key_exchange_with_sha1(world: World) -> str:
    """`KexAlgorithms diffie-hellman-group14-sha1`, and nothing asked for: told what was offered"""
    only(world, "KexAlgorithms diffie-hellman-group14-sha1")
    return "no-common-algorithm"


@case
def key_exchange_with_sha1_on_request(world: World) -> str:
    """the same, with `KexAlgorithms +diffie-hellman-group14-sha1` in ssh_config"""
    world.server("node", "KexAlgorithms diffie-hellman-group14-sha1")
    world.hosts("KexAlgorithms +diffie-hellman-group14-sha1")
    return IN


@case
def cipher_counter_mode(world: World) -> str:
    """`Ciphers aes192-ctr` with `MACs hmac-sha2-512-etm@openssh.com`"""
    return only(world, "Ciphers aes192-ctr", "MACs hmac-sha2-512-etm@openssh.com")


@case
def cipher_chacha(world: World) -> str:
    """`Ciphers chacha20-poly1305@openssh.com` alone, with new keys every 512 kB"""
    return only(world, "Ciphers chacha20-poly1305@openssh.com", "RekeyLimit 512K")


@case
def cipher_gcm_and_no_common_mac(world: World) -> str:
    """`MACs umac-128-etm@openssh.com` alone: under AES-GCM it is not computed"""
    return only(world, "MACs umac-128-etm@openssh.com")


@case
def mac_with_sha1(world: World) -> str:
    """`MACs hmac-sha1` with `Ciphers aes128-ctr`, and nothing asked for: told what to ask for"""
    world.server("node", "MACs hmac-sha1", "Ciphers aes128-ctr")
    world.hosts("MACs -hmac-sha1*")
    return "no-common-algorithm"


@case
def mac_with_sha1_on_request(world: World) -> str:
    """the same, with `MACs +hmac-sha1` in ssh_config"""
    world.server("node", "MACs hmac-sha1", "Ciphers aes128-ctr")
    world.hosts("MACs +hmac-sha1")
    return IN


@case
def host_key_rsa(world: World) -> str:
    """a server with an RSA host key alone"""
    world.key("rsa_host", kind="rsa")
    world.server("node", host_keys=["rsa_host"])
    world.hosts()
    return IN


@case
def host_key_ecdsa(world: World) -> str:
    """a server with an ECDSA P-384 host key alone"""
    world.run("ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", world.folder / "ec_host")
    world.server("node", host_keys=["ec_host"])
    world.hosts()
    return IN


@case
def login_key_rsa(world: World) -> str:
    """an RSA login key; server and ssh_config say `PubkeyAcceptedAlgorithms rsa-sha2-256`"""
    world.key("rsa", kind="rsa")
    world.server("node", "PubkeyAcceptedAlgorithms rsa-sha2-256", allowed=["rsa"])
    world.hosts(f"IdentityFile {world.folder}/rsa", "PubkeyAcceptedAlgorithms rsa-sha2-256")
    return IN


@case
def login_key_ecdsa(world: World) -> str:
    """an ECDSA P-521 login key"""
    world.run("ssh-keygen", "-q", "-t", "ecdsa", "-b", "521", "-N", "", "-f", world.folder / "ec")
    world.server("node", allowed=["ec"])
    world.hosts(f"IdentityFile {world.folder}/ec")
    return IN


@case
def login_key_in_pem(world: World) -> str:
    """an RSA login key in an old PEM file"""
    world.run("ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", world.folder / "pem")
    world.server("node", allowed=["pem"])
    world.hosts(f"IdentityFile {world.folder}/pem")
    return IN


@case
def host_key_rsa_with_sha1(world: World) -> str:
    """`HostKeyAlgorithms ssh-rsa`, and nothing asked for: told what was offered"""
    world.key("rsa_host", kind="rsa")
    world.server("node", "HostKeyAlgorithms ssh-rsa", host_keys=["rsa_host"])
    world.hosts()
    return "no-common-algorithm"


@case
def host_key_rsa_with_sha1_on_request(world: World) -> str:
    """the same, with `HostKeyAlgorithms +ssh-rsa` in ssh_config"""
    world.key("rsa_host", kind="rsa")
    world.server("node", "HostKeyAlgorithms ssh-rsa", host_keys=["rsa_host"])
    world.hosts("HostKeyAlgorithms +ssh-rsa")
    return IN


# -- host keys


def several_keys(world: World, *lines: str, options: tuple[str, ...] = ()) -> None:
    """A server with an ECDSA and an RSA key; PORT, and keys by their type and age, stand in the lines."""
    for kind in ("ECDSA", "RSA"):
        world.key(kind, kind=kind.lower())
        world.key(f"OLD_{kind}", kind=kind.lower())
    server = world.server(known=False, host_keys=["ECDSA", "RSA"])
    written = [line.replace("PORT", str(server.port)).rpartition(" ") for line in lines]
    world.known(*(f"{names} {world.public(key)}" for names, _, key in written))
    world.hosts(*options)


def keyed(world: World, *lines: str, options: tuple[str, ...] = ()) -> None:
    """A server, and a known_hosts of these lines: PORT, KEY and OLD stand for what is in the world."""
    server = world.server(known=False)
    world.key("old")
    for number, line in enumerate(lines):
        line = line.replace("PORT", str(server.port)).replace("KEY", world.public("host"))
        lines = (*lines[:number], line.replace("OLD", world.public("old")), *lines[number + 1 :])
    world.known(*lines)
    world.hosts(*options)


@case
def known_hosts_old_line_first(world: World) -> str:
    """known_hosts: an old and the right key of one type, in either order"""
    keyed(world, "[127.0.0.1]:PORT OLD", "[127.0.0.1]:PORT KEY")
    return IN


@case
def known_hosts_old_line_of_another_type(world: World) -> str:
    """known_hosts: an old RSA key, then the right ECDSA key, of a server that has both types"""
    several_keys(world, "[127.0.0.1]:PORT OLD_RSA", "[127.0.0.1]:PORT ECDSA")
    return IN


@case
def known_hosts_list_of_ones_own(world: World) -> str:
    """known_hosts: an old ECDSA and the right RSA key, with `HostKeyAlgorithms rsa-sha2-512,ecdsa-*`"""
    order = "HostKeyAlgorithms rsa-sha2-512,ecdsa-*"
    several_keys(world, "[127.0.0.1]:PORT OLD_ECDSA", "[127.0.0.1]:PORT RSA", options=(order,))
    return IN


@case
def known_hosts_other_type_without_port(world: World) -> str:
    """known_hosts: a key without its port, of a type that the server shows only where it is asked for it"""
    several_keys(world, "127.0.0.1 RSA")
    return "host-key-unknown"


@case
def known_hosts_pattern(world: World) -> str:
    """known_hosts: `[127.0.0.*]:PORT`, `?`, `*`"""
    keyed(world, "[127.0.?.*]:PORT KEY")
    return IN


@case
def known_hosts_taken_out(world: World) -> str:
    """known_hosts: `*,!name`: the name is not known by that line"""
    keyed(world, "*,![127.0.0.1]:PORT,!127.0.0.1 KEY")
    return "host-key-unknown"


@case
def known_hosts_hashed(world: World) -> str:
    """known_hosts: hashed names (`HashKnownHosts yes`)"""
    server = world.server(known=False)
    digest = hmac.digest(b"s" * 20, f"[127.0.0.1]:{server.port}".encode(), hashlib.sha1)
    salt, digest_text = (base64.b64encode(part).decode() for part in (b"s" * 20, digest))
    world.known(f"|1|{salt}|{digest_text} {world.public('host')}")
    world.hosts()
    return IN


@case
def known_hosts_upper_case(world: World) -> str:
    """a name in upper case, in known_hosts or as the address"""
    keyed(world, "[LOCALHOST]:PORT KEY")
    world.config = world.config.replace("HostName 127.0.0.1", "HostName LocalHost")
    return IN


@case
def known_hosts_without_port(world: World) -> str:
    """known_hosts: the name without its port, which is not 22"""
    keyed(world, "127.0.0.1 KEY")
    return IN


@case
def known_hosts_alias(world: World) -> str:
    """`HostKeyAlias`"""
    keyed(world, "rack7 KEY", "[127.0.0.1]:PORT OLD", options=("HostKeyAlias Rack7",))
    return IN


@case
def known_hosts_of_the_machine(world: World) -> str:
    """`GlobalKnownHostsFile`, and several files"""
    keyed(world, options=(f"GlobalKnownHostsFile {world.folder}/missing {world.folder}/global",))
    world.known(f"* {world.public('host')}", file="global")
    return IN


@case
def known_hosts_authority(world: World) -> str:
    """a host certificate, `@cert-authority` in known_hosts"""
    world.key("host")
    world.certify("host", "-h", "-n", "127.0.0.1", "-V", "+1h")
    world.server(known=False)
    world.known(f"@cert-authority * {world.public('authority')}")
    world.hosts()
    return IN


@case
def known_hosts_authority_of_others(world: World) -> str:
    """a host certificate for another name: its plain key counts, which is not known"""
    world.key("host")
    world.certify("host", "-h", "-n", "elsewhere", "-V", "+1h")
    world.server(known=False)
    world.known(f"@cert-authority * {world.public('authority')}")
    world.hosts()
    return "host-key-unknown"


@case
def known_hosts_certificate_with_a_pattern(world: World) -> str:
    """a host certificate for `*`: names of certificates are no patterns"""
    world.key("host")
    world.certify("host", "-h", "-n", "*.0.0.1", "-V", "+1h")
    world.server(known=False)
    world.known(f"@cert-authority * {world.public('authority')}")
    world.hosts()
    return "host-key-unknown"


@case
def known_hosts_expired_certificate(world: World) -> str:
    """an expired host certificate beside a plain key that is known"""
    world.key("host")
    world.certify("host", "-h", "-n", "127.0.0.1", "-V", "-2w:-1w")
    world.server()
    with (world.folder / "known_hosts").open("a") as file:
        file.write(f"@cert-authority * {world.public('authority')}\n")
    world.hosts()
    return IN


@case
def known_hosts_revoked(world: World) -> str:
    """`@revoked` in known_hosts, beside a line that knows the key"""
    keyed(world, "[127.0.0.1]:PORT KEY", "@revoked * KEY")
    return "host-key-revoked"


@case
def known_hosts_revoked_in_a_file(world: World) -> str:
    """`RevokedHostKeys FILE`, a list of public keys"""
    keyed(world, "[127.0.0.1]:PORT KEY", options=(f"RevokedHostKeys {world.folder}/revoked",))
    world.known(world.public("old"), world.public("host"), file="revoked")
    return "host-key-revoked"


@case
def known_hosts_changed(world: World) -> str:
    """another key than the known one: refused, with both fingerprints"""
    keyed(world, "[127.0.0.1]:PORT OLD")
    return "host-key-changed"


@case
def known_hosts_empty(world: World) -> str:
    """an unknown key: refused, with its fingerprint and what to type"""
    keyed(world)
    return "host-key-unknown"


# -- login keys


def others(world: World, count: int = 6) -> list[str]:
    return [world.key(f"other{number}").name for number in range(count)]


@case
def agent_with_seven_keys(world: World) -> str:
    """the right key is the agent's seventh (`MaxAuthTries 10`)"""
    world.server("node", "MaxAuthTries 10", allowed=["held"])
    world.agent(*others(world), "held")
    world.hosts("IdentityFile none")
    return IN


@case
def agent_key_picked_by_its_public_file(world: World) -> str:
    """`IdentityFile x.pub` with `IdentitiesOnly yes` picks a key of the agent"""
    world.key("held", passphrase="secret")
    world.server(allowed=["held"])
    world.agent(*others(world), "held")
    world.hosts(f"IdentityFile {world.folder}/held.pub", "IdentitiesOnly yes")
    return IN


@case
def agent_key_of_a_locked_file(world: World) -> str:
    """`IdentityFile` names a file with a passphrase, whose key the agent holds behind six others"""
    world.key("held", passphrase="secret")
    world.server(allowed=["held"])
    world.agent(*others(world), "held")
    world.hosts(f"IdentityFile {world.folder}/held")
    return IN


@case
def agent_with_a_security_key(world: World) -> str:
    """a key of a security key (`sk-ssh-ed25519@openssh.com`) in the agent"""
    world.server(allowed=[])
    (world.folder / "node.authorized").write_text(world.security_key() + "\n")
    world.hosts("IdentityFile none")
    return IN


@case
def agent_of_its_own(world: World) -> str:
    """`IdentityAgent SOCKET`, and no agent in the environment"""
    world.server(allowed=["held"])
    at = world.agent("held")
    world.environment.clear()
    world.hosts("IdentityFile none", f"IdentityAgent {at}")
    return IN


@case
def agent_that_is_not_wanted(world: World) -> str:
    """`IdentityAgent none`: the agent's keys are not tried"""
    world.server(allowed=["held"])
    world.key("id")
    world.agent("held")
    world.hosts("IdentityAgent none")
    return "login-refused"


@case
def certificate_beside_the_key(world: World) -> str:
    """a user certificate beside the key (`TrustedUserCAKeys`)"""
    world.key("id")
    world.key("authority")
    world.certify("id", "-n", ME, "-V", "+1h")
    world.server("node", f"TrustedUserCAKeys {world.folder}/authority.pub", allowed=[])
    world.hosts()
    return IN


@case
def certificate_named(world: World) -> str:
    """`CertificateFile`, of a key that the agent holds"""
    world.key("held")
    world.certify("held", "-n", ME, "-V", "+1h")
    (world.folder / "held-cert.pub").rename(world.folder / "elsewhere.pub")
    world.server("node", f"TrustedUserCAKeys {world.folder}/authority.pub", allowed=[])
    world.agent("held")
    (world.folder / "held").unlink()
    world.hosts(f"IdentityFile {world.folder}/held.pub", f"CertificateFile {world.folder}/elsewhere.pub")
    return IN


@case
def certificate_in_the_agent(world: World) -> str:
    """a user certificate that the agent holds"""
    world.key("held")
    world.certify("held", "-n", ME, "-V", "+1h")
    world.server("node", f"TrustedUserCAKeys {world.folder}/authority.pub", allowed=[])
    world.agent("held")
    world.hosts("IdentityFile none")
    return IN


@case
def certificate_that_expired(world: World) -> str:
    """an expired user certificate beside a key that the server takes without it"""
    world.key("id")
    world.certify("id", "-n", ME, "-V", "-2w:-1w")
    world.server()
    world.hosts()
    return IN


@case
def too_many_keys(world: World) -> str:
    """`MaxAuthTries 2`, and the right key is the agent's third: told, with how to pick one"""
    world.server("node", "MaxAuthTries 2", allowed=["held"])
    world.agent(*others(world, 2), "held")
    world.hosts("IdentityFile none")
    return "login-too-many-keys"


@case
def server_that_ends_the_login(world: World) -> str:
    """a server that ends the login for another reason (`LoginGraceTime`): told as that"""
    slow = ("AuthorizedKeysCommand /bin/sleep 20", "AuthorizedKeysCommandUser root")
    world.server("node", "LoginGraceTime 1", *slow)
    (world.folder / "node.authorized").write_text("")
    world.hosts()
    return "login-broken"


@case
def second_factor(world: World) -> str:
    """`AuthenticationMethods publickey,password`: told that the key was accepted, and what else is wanted"""
    world.server("node", "AuthenticationMethods publickey,password", "PasswordAuthentication yes")
    world.hosts()
    return "login-second-factor"


@case
def two_keys(world: World) -> str:
    """`AuthenticationMethods publickey,publickey`, both in the agent"""
    world.server("node", "AuthenticationMethods publickey,publickey", allowed=["one", "two"])
    world.agent("one", "two")
    world.hosts("IdentityFile none")
    return IN


@case
def passwords_only(world: World) -> str:
    """`PubkeyAuthentication no`: told that the server takes no keys"""
    world.server("node", "PubkeyAuthentication no", "PasswordAuthentication yes")
    world.hosts()
    return "login-takes-no-keys"


@case
def key_that_others_may_read(world: World) -> str:
    """a key file with mode 644: not taken, as by ssh"""
    world.server()
    world.key("id").chmod(0o644)
    world.hosts()
    return "no-login-key"


@case
def wrong_key(world: World) -> str:
    """a key that the server does not know: told, with each key that was tried"""
    world.server(allowed=["another"])
    world.key("id")
    world.hosts()
    return "login-refused"


# -- the way there


def bastioned(world: World, *settings: str, jump: str = "ProxyJump bastion") -> None:
    world.server("bastion", *settings, allowed=["to_bastion"], host_keys=["bastion_host"])
    world.server()
    world.hosts(jump)
    world.hosts(
        f"IdentityFile {world.folder}/to_bastion", "IdentitiesOnly yes", name="bastion", server="bastion"
    )


@case
def jump_host(world: World) -> str:
    """`ProxyJump bastion`, with a key of its own there"""
    bastioned(world)
    return IN


@case
def jump_over_two_hosts(world: World) -> str:
    """`ProxyJump first,bastion`"""
    world.server("first", allowed=["to_bastion"], host_keys=["bastion_host"])
    bastioned(world, jump="ProxyJump first,bastion")
    world.hosts(f"IdentityFile {world.folder}/to_bastion", name="first", server="first")
    return IN


@case
def jump_host_that_is_not_known(world: World) -> str:
    """a jump host with an unknown host key: refused, and named"""
    bastioned(world)
    lines = (world.folder / "known_hosts").read_text().splitlines()
    world.known(*(line for line in lines if world.public("bastion_host") not in line))
    return "host-key-unknown"


@case
def jump_host_that_does_not_forward(world: World) -> str:
    """a jump host with `AllowTcpForwarding no`: named"""
    bastioned(world, "AllowTcpForwarding no")
    return "jump-host-forbids"


@case
def proxy_command(world: World) -> str:
    """`ProxyCommand`, with tokens, quotes and a comment sign"""
    bastioned(world, jump="")
    world.hosts()
    inner = f"ssh -F {world.folder}/config -o BatchMode=yes -W '[%h]:%p' bastion"
    world.config = world.config.replace("\n  \n", f"\n  ProxyCommand sh -c \"{inner}\" '#' %r%%\n", 1)
    return IN


@case
def proxy_command_that_fails(world: World) -> str:
    """a `ProxyCommand` that fails: told with its own words"""
    world.server()
    world.hosts("ProxyCommand sh -c 'echo the gate is shut >&2; exit 1'")
    return "proxy-command"


# -- servers with limits


@case
def server_with_one_session(world: World) -> str:
    """`MaxSessions 1`: several commands at a time take several connections"""
    return only(world, "MaxSessions 1")


@case
def server_without_sessions(world: World) -> str:
    """`MaxSessions 0`: told"""
    only(world, "MaxSessions 0")
    return "no-session"


@case
def server_with_few_starts(world: World) -> str:
    """`MaxStartups 2:50:3`, with many logins at once: those that are dropped come again"""
    return only(world, "MaxStartups 2:50:3")


@case
def server_that_ends_idle_connections(world: World) -> str:
    """`UnusedConnectionTimeout 1s`: connected anew for the next command"""
    return only(world, "UnusedConnectionTimeout 1s")


@case
def server_that_asks_whether_we_live(world: World) -> str:
    """`ClientAliveInterval 1`, `ClientAliveCountMax 1`, with a command that is silent for longer"""
    return only(world, "ClientAliveInterval 1", "ClientAliveCountMax 1")


@case
def server_without_forwarding(world: World) -> str:
    """`AllowTcpForwarding no`: logged in to; what needs a tunnel (`smoke-test`, `push`) names it"""
    return only(world, "AllowTcpForwarding no")


@case
def server_with_a_forced_command(world: World) -> str:
    """`ForceCommand`, or `command=` in authorized_keys, that runs something else: told, with what it said"""
    only(world, "ForceCommand echo 'this account is not available'")
    return "not-run"


@case
def server_for_files_only(world: World) -> str:
    """`ForceCommand internal-sftp`: told"""
    only(world, "ForceCommand internal-sftp", "Subsystem sftp internal-sftp")
    return "not-run"


# -- ssh_config


@case
def config_of_several_files(world: World) -> str:
    """`Include`, `Match originalhost`, `Match host ... user`, `Match exec`"""
    server = world.server()
    (world.folder / "more").write_text(
        f"Match originalhost n?\n  HostName 127.0.0.1\nMatch host 127.* user {ME}\n  Port {server.port}\n"
    )
    world.config = f'Match originalhost n1 exec "test %n = n1"\n  User {ME}\nInclude {world.folder}/more\n'
    return IN

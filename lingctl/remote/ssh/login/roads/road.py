"""The way to a server: a TCP connection, one through a jump host, or a program's input and output."""

from __future__ import annotations

import socket

from lingctl.errors import ConnectError
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.ssh import quick_socket
from lingctl.remote.ssh.login.roads.jump_hosts import JumpHosts, ThroughJumpHost
from lingctl.remote.ssh.login.roads.proxy_command import through_command


def open_road(
    node: str, target: SshTarget, jump_hosts: JumpHosts
) -> quick_socket.QuickSocket | ThroughJumpHost:
    """A connection to the server's port, in the form of a socket.

    Raises:
        ConnectError: there is none to be had.
    """
    if target.jump is not None:
        return jump_hosts.open(node, target.jump, target)
    if target.proxy_command:
        try:
            return through_command(target.proxy_command, target.connect_timeout)
        except OSError as error:
            raise proxy_ended(str(error), target, node) from error
    return _direct(node, target)


def proxy_ended(said: str, target: SshTarget, node: str) -> ConnectError:
    """The error of a program that the connection goes through and that ended."""
    return ConnectError(
        f"the ProxyCommand for {target.host} port {target.port} made no connection",
        where=node,
        evidence=f"{target.proxy_command}\n{said}".strip(),
        remedy=f"try by hand: {target.by_hand} true",
        code="proxy-command",
    )


def _direct(node: str, target: SshTarget) -> quick_socket.QuickSocket:
    host, port = target.host, target.port
    try:
        return quick_socket.connect(
            host, port, target.connect_timeout, family=target.family, source=target.bind_address
        )
    except socket.gaierror as error:
        raise ConnectError(
            f"{host!r} is not a known name", where=node, evidence=str(error), code="unknown-host"
        ) from error
    except TimeoutError as error:
        raise ConnectError(
            f"{host} port {port} does not answer within {target.connect_timeout} s",
            where=node,
            remedy=f"see whether it is up and no firewall is between: ping {host}; nc -vz {host} {port}",
            code="connect-timeout",
        ) from error
    except OSError as error:
        raise ConnectError(
            f"cannot connect to {host} port {port}: {error.strerror or error}",
            where=node,
            remedy=f"see whether its SSH server runs and the address is right: nc -vz {host} {port}",
            code="unreachable",
        ) from error

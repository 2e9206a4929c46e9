"""The service that a verb asks: any that can be reached from here, or a cluster's; and how it is met."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lingctl.errors import ConnectError, EngineError, LingctlError
from lingctl.flows.look.running import need_no_lost_node
from lingctl.inventory.cluster import Cluster
from lingctl.release.site import site_of
from lingctl.remote.group import Group
from lingctl.serving.endpoint import NO_TLS_FILES, Endpoint, TlsFiles, endpoint_of
from lingctl.serving.http.api import AskedKind, ModelKind
from lingctl.serving.http.client import Client, ModelList
from lingctl.serving.http.exchange import Limits
from lingctl.serving.http.models import known
from lingctl.serving.reach import client_for, forward_to
from lingctl.serving.remedies import advice_for
from lingctl.serving.trouble import ExchangeTrouble


@dataclass(frozen=True, slots=True)
class UrlService:
    """Any service that can be reached from here."""

    endpoint: Endpoint

    def client(self, limits: Limits | None = None) -> AbstractContextManager[Client]:
        """A client of it."""
        return client_for(self.endpoint, None, limits)

    def kind(self, asked: AskedKind) -> AskedKind:
        """How its model is asked: nobody but its name tells what ``auto`` leaves open."""
        return asked

    def need_no_lost_node(self, verb: str) -> None:
        """Nothing is known of its nodes."""


@dataclass(frozen=True, slots=True)
class ClusterService:
    """A cluster's service, asked over SSH where its port is closed to this machine."""

    group: Group
    cluster: Cluster
    tls: TlsFiles = NO_TLS_FILES

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers. Raises UsageError: see ``endpoint_of``."""
        return endpoint_of(self.cluster, tls=self.tls)

    def client(self, limits: Limits | None = None) -> AbstractContextManager[Client]:
        """A client of it. Raises UsageError: see ``endpoint_of``."""
        return client_for(self.endpoint, forward_to(self.group, self.cluster), limits)

    def kind(self, asked: AskedKind) -> ModelKind:
        """How its model is asked: the catalogue tells what ``auto`` leaves open."""
        return self.cluster.catalogue_model.kind if asked == "auto" else asked

    def need_no_lost_node(self, verb: str) -> None:
        """Refuse to ask what a request could end. Raises EngineError: a daemon is dead or cannot be seen."""
        need_no_lost_node(self.group, site_of(self.cluster), verb)


AskedService = UrlService | ClusterService


def no_answer(client: Client, trouble: ExchangeTrouble) -> ConnectError | EngineError:
    """The error that a trouble ends a command with."""
    kind = ConnectError if trouble.no_service else EngineError
    what = "nothing answers there" if trouble.no_service else "the service did not answer"
    remedy, where = advice_for(client.endpoint).remedy(trouble), client.endpoint.service_url
    return kind(what, where=where, evidence=str(trouble), remedy=remedy, code="no-answer")


def met(
    client: Client, refused: Callable[[Client, ExchangeTrouble], LingctlError] = no_answer
) -> tuple[Client, bool, ModelList | None]:
    """The client with its model's name known, whether it is MindIE, and the models that it lists.

    Args:
        refused: makes the error.

    Raises:
        ConnectError: nothing answers.
        EngineError: the models cannot be listed, and no name is given.
    """
    listed = client.models()
    if isinstance(listed, ExchangeTrouble) and (listed.no_service or not client.endpoint.served_name):
        raise refused(client, listed)
    return *known(client, listed), None if isinstance(listed, ExchangeTrouble) else listed

"""batch: every request of a file to a running service, resumed where it was left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lingctl.errors import UsageError
from lingctl.events import Listener
from lingctl.flows.look.running import need_no_lost_node
from lingctl.flows.serve.batch.given import BatchOptions, need_models
from lingctl.flows.serve.batch.offline import batch_offline
from lingctl.flows.serve.batch.run import Asked, Keep, run_batch
from lingctl.flows.serve.chat import failure
from lingctl.inventory.cluster import Cluster
from lingctl.release.site import site_of
from lingctl.remote.group import Group
from lingctl.serving.batch.asking import Asking, BatchCounts
from lingctl.serving.batch.report import BatchReport
from lingctl.serving.batch.requests import BatchInput, BatchRequest
from lingctl.serving.endpoint import NO_TLS_FILES, Endpoint, TlsFiles, endpoint_of
from lingctl.serving.http.client import Client
from lingctl.serving.http.exchange import Limits
from lingctl.serving.http.models import known
from lingctl.serving.reach import client_for, forward_to
from lingctl.serving.remedies import advice_for
from lingctl.serving.trouble import ExchangeTrouble

# Bytes of an answer, of which as many as requests are open are held at a time.
_LARGEST_ANSWER = 16 << 20


def batch_endpoint(
    endpoint: Endpoint, given: BatchInput, options: BatchOptions, listener: Listener
) -> BatchReport:
    """Ask any service that can be reached from here.

    Args:
        given: the input, as ``judged_input`` gave it.

    Raises:
        LingctlError: the input has changed, nothing answers, or the service gave out.
    """
    if options.offline:
        raise UsageError(
            "--offline is done on a node of a cluster",
            remedy="name it: --nodes hosts.yaml, and no --url",
            code="offline-no-cluster",
        )
    with client_for(endpoint, limits=_limits(options)) as client:
        return _batch(client, given, options, listener)


def batch_cluster(
    group: Group,
    cluster: Cluster,
    given: BatchInput,
    options: BatchOptions,
    listener: Listener,
    *,
    tls: TlsFiles = NO_TLS_FILES,
) -> BatchReport:
    """Ask a cluster's service, over SSH where its port is closed to this machine; or its engine, without one.

    Raises:
        LingctlError: as ``batch_endpoint``; or a node's daemon is dead or cannot be seen.
    """
    if options.offline:
        return batch_offline(group, cluster, given, options, listener)
    need_no_lost_node(group, site_of(cluster), "batch")
    endpoint = endpoint_of(cluster, tls=tls)
    with client_for(endpoint, forward_to(group, cluster), _limits(options)) as client:
        return _batch(client, given, options, listener)


def _limits(options: BatchOptions) -> Limits:
    # An answer that is no stream comes all at once: silence is no sign.
    return Limits(idle=options.timeout, total=options.timeout, largest=_LARGEST_ANSWER)


def _batch(client: Client, given: BatchInput, options: BatchOptions, listener: Listener) -> BatchReport:
    client, model = _named(client, given, options)
    return run_batch(_Service(client, options), given, options, model if options.any_model else "", listener)


@dataclass(frozen=True, slots=True)
class _Service:
    """A running service; see ``Answerer``."""

    client: Client
    options: BatchOptions

    @property
    def place(self) -> str:
        return self.client.endpoint.service_url

    @property
    def model(self) -> str:
        return self.client.endpoint.served_name

    def answer(
        self, requests: Iterator[BatchRequest], keep: Keep, tick: Callable[[BatchCounts], None]
    ) -> Asked:
        asking = Asking(
            self.client,
            requests,
            concurrency=self.options.concurrency,
            retries=self.options.retries,
            keep=keep,
        )
        asking.run(tick)
        why = asking.given_up
        return Asked(asking.counts, why, advice_for(self.client.endpoint).remedy(why.trouble) if why else "")


def _named(client: Client, given: BatchInput, options: BatchOptions) -> tuple[Client, str]:
    """The client with the name of the model that is asked.

    Raises:
        ConnectError: nothing answers.
        EngineError: the models cannot be listed and no name is given.
        ConfigurationError: lines name models that are not served.
    """
    listed = client.models()
    if isinstance(listed, ExchangeTrouble):
        if listed.no_service or not client.endpoint.served_name:
            raise failure(client.endpoint, listed)
        return client, client.endpoint.served_name
    client, _ = known(client, listed)
    name = client.endpoint.served_name
    need_models(given, listed.names, name, options)
    return client, name

"""batch: every request of a file to a running service, resumed where it was left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lingctl.errors import UsageError
from lingctl.events import Listener
from lingctl.flows.serve.asked_service import AskedService, ClusterService, UrlService, met
from lingctl.flows.serve.batch.given import BatchOptions, need_models
from lingctl.flows.serve.batch.offline import batch_offline
from lingctl.flows.serve.batch.run import Answerer, Asked, Keep, run_batch
from lingctl.serving.batch.asking import Asking, BatchCounts
from lingctl.serving.batch.report import BatchReport
from lingctl.serving.batch.requests import BatchInput, BatchRequest
from lingctl.serving.http.exchange import Limits
from lingctl.serving.remedies import advice_for

# Bytes of an answer, of which as many as requests are open are held at a time.
_LARGEST_ANSWER = 16 << 20


def batch(service: AskedService, given: BatchInput, options: BatchOptions, listener: Listener) -> BatchReport:
    """Ask a service, or the engine of a cluster without one.

    Args:
        given: the input, as ``judged_input`` gave it.

    Raises:
        LingctlError: the input has changed or names models that are not served, a node's daemon is dead or
            cannot be seen, nothing answers, or the service gave out.
    """
    if options.offline and isinstance(service, UrlService):
        raise UsageError("--offline is done on a node of a cluster", code="offline-no-cluster")
    if options.offline and isinstance(service, ClusterService):
        return batch_offline(service.group, service.cluster, given, options, listener)
    service.need_no_lost_node("batch")
    # An answer that is no stream comes all at once: silence is no sign.
    limits = Limits(idle=options.timeout, total=options.timeout, largest=_LARGEST_ANSWER)
    with service.client(limits) as client:
        client, _, listed = met(client)
        model = client.endpoint.served_name
        if listed is not None:
            need_models(given, listed.names, model, options)
        override = model if options.any_model else ""

        def answer(
            requests: Iterator[BatchRequest], keep: Keep, tick: Callable[[BatchCounts], None]
        ) -> Asked:
            asking = Asking(
                client, requests, concurrency=options.concurrency, retries=options.retries, keep=keep
            )
            asking.run(tick)
            why = asking.given_up
            remedy = advice_for(client.endpoint).remedy(why.trouble) if why else ""
            return Asked(asking.counts, why, remedy)

        answerer = Answerer(client.endpoint.service_url, model, answer)
        return run_batch(answerer, given, options, override, listener)

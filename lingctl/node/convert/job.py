"""One conversion: what was chosen, and everything that is known before the first byte is written."""

from __future__ import annotations

from typing import NamedTuple, Optional, Tuple

from lingctl.node.checkpoint.companions import Companions, find_companions, links_out
from lingctl.node.checkpoint.folder import Checkpoint
from lingctl.node.convert.assess import Assessment, assess
from lingctl.node.convert.plan import ConversionPlan, plan_shards
from lingctl.node.trouble import Trouble

DEFAULT_SHARD = 5_000_000_000


class Options(NamedTuple):
    """What the user may choose."""

    max_shard_size: int = DEFAULT_SHARD
    layers_per_shard: Optional[int] = None
    verify: bool = True
    force: bool = False


class Job(NamedTuple):
    """Everything that is known before the first byte is written."""

    source: Checkpoint
    plan: ConversionPlan
    companions: Companions
    target: str
    found: Assessment
    options: Options
    linked: Tuple[str, ...] = ()  # companions that links lead to from elsewhere, as ``NAME -> FILE``

    @property
    def to_compare(self) -> Tuple[str, ...]:
        """Shards that are there but must be compared with the source before they count."""
        return () if self.options.force else self.found.unproved

    def need_allowed(self) -> None:
        """Refuse to overwrite another output unless told to. Raises Trouble: other weights are there."""
        if self.found.state == "blocked" and not self.options.force:
            raise Trouble(
                self.found.reason,
                where=self.target,
                remedy="name another folder, or add --force to overwrite what is there",
                code="output-differs",
            )


def plan_job(source: Checkpoint, target: str, options: Options) -> Job:
    """Look at source and target and plan; nothing is written.

    Raises:
        Trouble: the source cannot be converted.
    """
    plan = plan_shards(source, options.max_shard_size, options.layers_per_shard)
    weights = [file.name for file in source.files]
    companions = find_companions(source.folder, weights)
    linked = tuple(links_out(source.folder, companions.names))
    found = _found(source, plan, companions, target, options)
    return Job(source, plan, companions, target, found, options, linked)


def look_again(job: Job) -> Job:
    """The same job, for what is in the target folder now."""
    return job._replace(found=_found(job.source, job.plan, job.companions, job.target, job.options))


def _found(
    source: Checkpoint, plan: ConversionPlan, companions: Companions, target: str, options: Options
) -> Assessment:
    return assess(plan, source.fingerprint, companions.names, target, options.verify)

"""How much shared memory the container gets."""

from __future__ import annotations

import pytest

from lingctl.errors import ConfigurationError
from lingctl.mindie.profile import profile_for
from lingctl.mindie.shared_memory import needed_mib, shared_memory_size
from tests.unit.mindie.samples import make_cluster


def test_the_default_leaves_room_beside_what_mindie_takes():
    cluster = make_cluster(mindie="3.0.0")
    assert shared_memory_size(cluster, profile_for("3.0.0")) == "2g"
    # Seen on 3.0.0: 656 MiB and a kilobyte for the engine, 40 MiB for each of eight tokenizers.
    assert needed_mib(profile_for("3.0.0")) == 657 + 8 * 40


@pytest.mark.parametrize("size", ["977m", "1g", "1G", "1000448k", "1024458752"])
def test_what_is_enough_is_taken_as_it_stands(size):
    cluster = make_cluster(mindie="3.0.0", container={"shm_size": size})
    assert shared_memory_size(cluster, profile_for("3.0.0")) == size


@pytest.mark.parametrize(
    ("version", "size"), [("3.0.0", "976m"), ("3.0.0", "64m"), ("3.0.0", "1"), ("1.0.0", "512m")]
)
def test_what_is_too_little_is_refused_with_the_sum(version, size):
    cluster = make_cluster(mindie=version, container={"shm_size": size})
    with pytest.raises(ConfigurationError) as caught:
        shared_memory_size(cluster, profile_for(version))
    assert caught.value.code == "shm-too-small"
    assert "container.shm_size" in caught.value.where and "leave shm_size out" in caught.value.remedy

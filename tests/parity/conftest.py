"""Everything here needs torch; one thread, because ranks are threads and the machine is shared."""

import pytest

torch = pytest.importorskip("torch", reason="the parity proof needs torch: pip install 'lingctl[torch]'")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Served folder and reference of a case, made once."""
    from tests.parity.checkpoints import case, make_tensors, write_checkpoint
    from tests.parity.reference import Reference

    made = {}

    def get(name):
        if name not in made:
            wanted = case(name)
            tensors = make_tensors(wanted.config)
            folder = write_checkpoint(tmp_path_factory.mktemp(name) / "model", wanted.served, tensors)
            made[name] = folder, Reference(wanted.config, tensors)
        return made[name]

    return get

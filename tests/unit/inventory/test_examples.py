"""The examples are read, rendered and accepted by the rules of their MindIE version."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import jsonschema
import pytest
import yaml

from lingctl.engines import engine_of
from lingctl.findings import Verdict
from lingctl.flows.files.capacity import Wishes, answer_capacity
from lingctl.flows.files.inputs import Known
from lingctl.flows.files.render import rendered
from lingctl.inventory.load import load_cluster
from lingctl.mindie.profile import profile_for
from lingctl.mindie.rules.check import check_config
from lingctl.mindie.rules.rank_table import check_rank_table
from tests import forked
from tests.unit.mindie.samples import addresses_of

CHECKOUT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((CHECKOUT / "examples").glob("*.yaml"))
SCHEMA = json.loads((CHECKOUT / "docs/reference/hosts.schema.json").read_text())

every_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


PEM = "-----BEGIN {0}-----\nbm90aGluZw==\n-----END {0}-----\n"


def with_its_certificates(path: Path, folder: Path) -> Path:
    """A copy, beside which the files are that it names."""
    text = path.read_text()
    for name in re.findall(r"tls/[a-z]+\.(?:pem|key)", text):
        (folder / "tls").mkdir(exist_ok=True)
        kind = "PRIVATE KEY" if name.endswith(".key") else "CERTIFICATE"
        (folder / name).write_text(PEM.format(kind))
    return Path(shutil.copy(path, folder))


@every_example
def test_an_example_gives_every_file_that_deploy_sends(path: Path, tmp_path: Path):
    cluster = load_cluster(with_its_certificates(path, tmp_path), environment={})
    about = engine_of(cluster).about
    known = Known(cluster.downloaded_weights, addresses_of(cluster))
    files = rendered(cluster, "all", known)
    own = set(about.file_names) - (set() if cluster.multi_node else {"rank_table.json"})
    expected = {"environment.sh", "start.sh", "container.sh", *own}
    for node in cluster.nodes:
        ours = {file.name: file.content.decode() for file in files if file.node == node.name}
        assert set(ours) == expected
        if not own:
            continue
        profile = profile_for(about.version)
        findings = check_config(json.loads(ours["config.json"]), profile, cluster)
        if cluster.multi_node:
            findings = [*findings, *check_rank_table(json.loads(ours["rank_table.json"]), profile)]
        assert all(finding.verdict < Verdict.WARNING for finding in findings), findings


@every_example
def test_an_example_fits_its_cards(path: Path):
    cluster = load_cluster(path, environment={})
    answer = answer_capacity(cluster.catalogue_model, Wishes(), cluster)
    assert answer.finding.verdict < Verdict.WARNING, answer.finding


@every_example
def test_an_editor_that_reads_the_schema_accepts_an_example(path: Path):
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)
    (schema,) = re.findall(r"^# yaml-language-server: \$schema=(.*)$", path.read_text(), re.MULTILINE)
    assert (path.parent / schema).is_file()


@every_example
def test_an_example_is_taken_by_config_check(path: Path, tmp_path: Path):
    """But for files that are its reader's own: keys to log in with, certificates."""
    copy = with_its_certificates(path, tmp_path)
    said = forked.run("config", "check", "--nodes", copy, cwd=tmp_path)
    errors = [line for line in said.stderr.splitlines() if line.startswith("error: ")]
    assert [line for line in errors if "there is no file" not in line] == []
    assert bool(errors) == (said.returncode == 2)


@pytest.mark.parametrize("page", ["README.md", "docs/sites.md"])
def test_the_readme_and_the_page_of_sites_name_every_example(page: str):
    named = set(re.findall(r"\((?:\.\./)?examples/([a-z-]+)\.yaml\)", (CHECKOUT / page).read_text()))
    assert named == {path.stem for path in EXAMPLES}

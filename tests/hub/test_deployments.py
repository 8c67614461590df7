"""The files of docs/deploy: what can't be run here is loaded by what will read it, and held against its schema."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kubernetes_validate
import pluggy
import pytest
import yaml
from dockerspawner import SystemUserSpawner
from traitlets.config import Config

from hub_plugin import tljh
from hub_plugin.courses import read_courses
from hub_plugin.hooks import is_ours
from hub_plugin.login import HubAddress
from hub_plugin.settings import from_environment
from syncd.core.errors import NeedsUser
from syncd.node.config import load_config

DEPLOY = Path(__file__).parent.parent.parent / "docs/deploy"


def load(source: str) -> Config:
    c = Config()
    exec(compile(source, "jupyterhub_config.py", "exec"), {"get_config": lambda: c, "c": c})
    return c


def test_docker_binds_homes_so_that_later_mounts_are_seen() -> None:
    c = load((DEPLOY / "dockerspawner_config.py").read_text())
    spawner = SystemUserSpawner(config=c, user=SimpleNamespace(name="ada", id=1, url="/", server=None))
    bound = spawner.volume_binds["/home/ada"]
    assert (bound["bind"], bound["propagation"]) == ("/home/ada", "rslave")
    assert is_ours(c.Spawner.pre_spawn_hook) and is_ours(spawner.pre_spawn_hook)


def test_kubernetes_takes_the_nodes_and_they_are_not_privileged(tmp_path: Path) -> None:
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes-node.yaml").read_text()))
    for document in documents:
        kubernetes_validate.validate(document, "1.30", strict=True)
    assert "privileged" not in str(documents) and "/dev/fuse" not in str(documents)
    settings = tmp_path / "node.toml"
    settings.write_text(documents[0]["data"]["node.toml"])
    assert [course.name for course in load_config(settings).courses] == ["ds8"]


def test_the_service_of_a_cluster_gets_what_it_needs() -> None:
    documents = list(yaml.safe_load_all((DEPLOY / "kubernetes-service.yaml").read_text()))
    for document in documents:
        kubernetes_validate.validate(document, "1.30", strict=True)
    container = documents[1]["spec"]["template"]["spec"]["containers"][0]
    environment = {each["name"]: each.get("value", "from a secret") for each in container["env"]}
    settings, address = from_environment(environment), HubAddress.from_environment(environment)
    assert settings.courses == read_courses({"ds8": {"remote": settings.courses[0].remote, "title": "Data 8"}})
    assert address.api_token == "from a secret" and address.prefix == "/services/synced-folders/"


def test_the_container_beside_a_server_fits_into_its_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCED_FOLDERS_TOKEN", "from a secret")
    values = yaml.safe_load((DEPLOY / "kubespawner-values.yaml").read_text())
    containers, volumes = values["singleuser"]["extraContainers"], values["singleuser"]["storage"]["extraVolumes"]
    home = {"name": "volume-{user_server}", "persistentVolumeClaim": {"claimName": "claim"}}
    spec: dict[str, Any] = {"containers": containers, "volumes": [*volumes, home]}
    kubernetes_validate.validate(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ada"}, "spec": spec}, "1.30", strict=True
    )
    mounted = {mount["name"] for container in containers for mount in container["volumeMounts"]}
    assert mounted <= {volume["name"] for volume in spec["volumes"]}
    c = load(values["hub"]["extraConfig"]["synced-folders"])
    assert c.JupyterHub.services[0]["url"] == "http://synced-folders:10202"
    assert c.JupyterHub.services[0]["api_token"] == "from a secret"
    assert "pre_spawn_hook" not in c.Spawner


def test_the_littlest_hub_calls_our_hook_and_it_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins, c = pluggy.PluginManager("tljh"), Config()
    plugins.register(tljh)
    monkeypatch.setattr(tljh, "SETTINGS", DEPLOY / "tljh-hub.toml")
    plugins.hook.tljh_custom_jupyterhub_config(c=c)
    assert [service["name"] for service in c.JupyterHub.services] == ["synced-folders"]
    assert '"system_user": "jupyter-{username}"' in str(c.JupyterHub.services[0]["environment"])


def test_the_littlest_hub_starts_without_our_file_and_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    c = Config()
    tljh.configure(c, tmp_path / "none.toml")
    assert c == {}
    (tmp_path / "hub.toml").write_text("courses = ")
    with pytest.raises(NeedsUser, match=r"hub\.toml"):
        tljh.configure(c, tmp_path / "hub.toml")

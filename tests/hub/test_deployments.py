"""The files of docs/deploy: what can't be run here is loaded by what will read it, and held against its schema."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import kubernetes_validate
import pluggy
import pytest
import yaml
from dockerspawner import SystemUserSpawner
from traitlets.config import Config

from hub_plugin import tljh
from hub_plugin.courses import read_courses
from hub_plugin.hooks import is_ours
from hub_plugin.hub_address import HubAddress
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
    told = docker.APIClient("unix:///nowhere", version="1.44").create_host_config(binds=spawner.volume_binds)
    assert told["Binds"] == ["/home/ada:/home/ada:rw,rslave"]  # what the daemon would get
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


async def pod_of(values: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The pod that KubeSpawner makes of these values, as Zero to JupyterHub hands them to it."""
    from kubespawner import KubeSpawner  # with all kinds of things that a cluster knows: 2 s

    monkeypatch.setattr("kubespawner.spawner.load_config", lambda **_: None)  # where the cluster is: there is none
    storage = values["singleuser"]["storage"]
    c = Config()
    c.KubeSpawner.image = "quay.io/jupyter/base-notebook"
    c.KubeSpawner.extra_containers = values["singleuser"]["extraContainers"]
    home = {"name": "volume-{user_server}", "persistentVolumeClaim": {"claimName": "claim-{user_server}"}}
    c.KubeSpawner.volumes = [home, *storage["extraVolumes"]]
    mounted = {"name": "volume-{user_server}", "mountPath": "/home/jovyan"}
    c.KubeSpawner.volume_mounts = [mounted, *storage.get("extraVolumeMounts", ())]
    spawner = KubeSpawner(config=c, _mock=True)
    client = spawner.api.api_client
    found: dict[str, Any] = client.sanitize_for_serialization(await spawner.get_pod_manifest())
    await client.close()
    kubernetes_validate.validate({"apiVersion": "v1", "kind": "Pod", **found}, "1.30", strict=True)
    return found


@pytest.mark.parametrize("kind", ["", "-overlay"])
async def test_the_container_beside_a_server_fits_into_the_pod_that_kubespawner_makes(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNCED_FOLDERS_TOKEN", "from a secret")
    values = yaml.safe_load((DEPLOY / f"kubespawner{kind}-values.yaml").read_text())
    pod = await pod_of(values, monkeypatch)
    server, agent = pod["spec"]["containers"]
    mounted = [{mount["mountPath"]: mount for mount in container["volumeMounts"]} for container in (server, agent)]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert {mount["name"] for mounts in mounted for mount in mounts.values()} <= volumes.keys()
    assert mounted[0]["/home/jovyan"] == mounted[1]["/home/jovyan"]  # one home, whose name was filled in
    assert "{user" not in str(pod["spec"]["volumes"])
    propagated = [mounts.get("/home/jovyan/courses", {}).get("mountPropagation") for mounts in mounted]
    assert propagated == (["HostToContainer", "Bidirectional"] if kind else [None, None])
    assert server["securityContext"]["allowPrivilegeEscalation"] is False
    assert agent["securityContext"].get("privileged", False) is bool(kind)

    c = load(values["hub"]["extraConfig"]["synced-folders"])
    assert c.JupyterHub.services[0]["url"] == "http://synced-folders:10202"
    assert c.JupyterHub.services[0]["api_token"] == "from a secret"
    assert "pre_spawn_hook" not in c.Spawner
    (course,) = read_courses(c.SyncedFolders.courses)
    assert f"ds8=/home/jovyan/{course.folder}" in agent["args"]  # where links lead


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

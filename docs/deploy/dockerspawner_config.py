"""jupyterhub_config.py for DockerSpawner: `syncd agents run` on the Docker host, homes bound into containers.

A person's agent runs on the host, as the account that the container runs as (uid for uid: no userns-remap), and mounts
the course into the home.  `rslave` lets what is mounted there, before or after the container's start, be seen inside.
"""

from hub_plugin import install

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.JupyterHub.spawner_class = "dockerspawner.SystemUserSpawner"
c.SystemUserSpawner.host_homedir_format_string = "/home/{username}"
c.SystemUserSpawner.image_homedir_format_string = "/home/{username}"
c.SystemUserSpawner.homedir_bind_propagation = "rslave"  # DockerSpawner 14, docker-py 7

c.SyncedFolders.courses = {"ds8": "https://github.com/ORGANISATION/REPOSITORY"}
c.SyncedFolders.agents_socket = "/run/synced-folders/agents.sock"
install(c)

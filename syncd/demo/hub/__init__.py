"""The demo with a real JupyterHub around it."""

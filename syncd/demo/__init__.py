"""The demo: real processes on loopback, a stand-in for GitHub among them."""

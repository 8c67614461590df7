"""Synced Folders: a folder that publishes itself, and its copies that follow."""

__version__ = "0.1.0"

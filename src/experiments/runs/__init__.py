"""Stored runs: found, read as data and never as code, compared. Nothing here imports torch except `model.py`."""

"""The verbs: each module reads a folder and writes a folder."""

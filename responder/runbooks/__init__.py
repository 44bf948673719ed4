"""Runbooks: what the files under `rules/` say, read, checked and ready to use.

`matchers` decide which alerts a runbook answers, `templating` fills its texts in, `conditions` judge the
evidence, `loading` reads the files and keeps the set that is in use.
"""

"""A second system to judge the detectors by: an insurer's forty Java services behind a gateway, with MySQL and more.

It is made of what the API and the programs say by their own documentation, not of what the detectors look for.
"""

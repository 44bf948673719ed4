"""An exam of cases that users met in other clusters: what they describe is rebuilt, their words and files are not.

A case is described in a YAML file (`description.py` says how): an alert as kube-prometheus sends it, the workloads of a
namespace and what befell them, the truth, and the address of the thread or manual that tells of it. `build` makes of it
what `kubectl get -o json` would print. Odd numbers are in `development`, where detectors may be written from them; even
numbers are in `held`, of which only the score is looked at.
"""

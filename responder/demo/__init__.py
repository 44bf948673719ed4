"""The demo: a KubeChat that breaks on command, real Prometheus and Alertmanager, and Responder answering.

simulator     KubeChat's metrics, healthy or broken
clusters      KubeChat's cluster as recorded from a real API server, healthy, faulty and healed
rules         the shipped alerts with short windows
processes     Prometheus, Alertmanager, Responder: started, awaited, ended
scene         all of it together
show          the flow that a person watches, or a check asserts on
"""

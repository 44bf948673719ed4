"""Records the clusters of the demo from a real API server.

For each fault, in an empty cluster with a controller manager and a scheduler but no nodes of its own
(KUBEBUILDER_ASSETS names the folder of its kubectl, if that is not on PATH):

    python -m scripts.clusters KUBECONFIG FAULT

writes responder/demo/clusters/FAULT/{healthy,faulty,healed}. ReplicaSets, pods, endpoints, bindings,
conditions and rollouts are the real controllers' work; what kubelets, the horizontal autoscaler and the
metrics server would write is written here.
"""

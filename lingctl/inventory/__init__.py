"""What the operator wants: hosts.yaml becomes a Cluster, a model name becomes a Model."""

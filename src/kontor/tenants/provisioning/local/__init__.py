"""Instances as processes of one machine: for `kontor up`, tests and small operators; production is Kubernetes."""

from kontor.tenants.provisioning.local.runtime import LocalRuntime, stop_all

__all__ = ["LocalRuntime", "stop_all"]

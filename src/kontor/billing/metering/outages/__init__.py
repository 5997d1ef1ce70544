"""Outages of providers: seen by the gateway's circuits, kept as intervals, told for the SLA."""

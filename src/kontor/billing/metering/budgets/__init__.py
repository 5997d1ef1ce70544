"""What a tenant may spend on models: caps that hold over all gateways, rates, and what is told on the way to them."""

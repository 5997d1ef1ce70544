"""What an assistant must and must not do, held by the gateway: packs of rules, notices, prohibited uses. Pure."""

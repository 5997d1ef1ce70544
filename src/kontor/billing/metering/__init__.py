"""Metering: every call to a model goes through here and is recorded exactly once."""

"""Persons, how they prove who they are, and what they may do in which tenant."""

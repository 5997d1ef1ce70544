"""Contracts: which documents a customer accepts, and their texts filled from the seller and the tenant.

Everything here is pure: data files, texts, and functions from facts to a rendered document. Rules of reading order:
catalogue (kinds, countries, industries as data), required (who needs which), facts (what fills a text), render
(Markdown, HTML, clauses, SHA-256), pdf. Who accepted what and when is kept elsewhere.
"""

"""The built-in model: a small, honest stand-in for a language model, for demonstrations and tests."""

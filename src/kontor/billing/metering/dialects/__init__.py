"""The APIs that callers and providers speak. A caller's dialect is its provider's: nothing is translated."""

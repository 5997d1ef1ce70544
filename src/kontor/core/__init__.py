"""What everything stands on; knows no tenant rule and no invoice."""

"""`kontor up`: all processes of Kontor on one machine, started, watched, found again and stopped together."""

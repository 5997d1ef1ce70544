"""`python -m kontor.app.cli`."""

from kontor.app.cli.main import main

main()

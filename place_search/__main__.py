"""`python -m place_search` is the command-line program."""

from place_search.cli.app import main

main()

"""``python -m aurite`` is the program ``aurite``."""

from aurite.cli.main import main

main()

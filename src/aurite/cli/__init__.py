"""The program ``aurite``: thin commands that parse, call the app and render."""

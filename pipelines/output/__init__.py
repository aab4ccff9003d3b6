"""What a command shows: its result as tables or as JSON, with the width, colours and verbosity of its user."""

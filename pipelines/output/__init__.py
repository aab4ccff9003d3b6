"""Results of commands: tables or JSON, with the width, colours and verbosity that a user asks for."""

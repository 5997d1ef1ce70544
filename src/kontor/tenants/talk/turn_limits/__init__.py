"""How many turns a member or a program may have with the assistant: limits that admins set, and their counts."""

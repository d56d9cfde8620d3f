"""The law, tested without a database: every row of the announcement is a case with its line as id."""

"""The command `sluice`: one file per subcommand, imported only when it is used."""

"""One file per version of the store; a released one is never edited."""

"""Task files of a consortium; there is no code here."""

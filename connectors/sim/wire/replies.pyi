"""Python face of replies: nothing; the module is for the desk and the broadcast."""

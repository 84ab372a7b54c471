"""Python face of book frames: nothing; the module is for the broadcast."""

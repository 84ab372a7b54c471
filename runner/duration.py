"""A length of time as a person says it."""


def duration(seconds: float) -> str:
    """Return seconds as text; from a minute on as hours, minutes and seconds."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    hours, rest = divmod(whole, 3600)
    return (f"{hours} h " if hours else "") + f"{rest // 60} min {rest % 60} s"

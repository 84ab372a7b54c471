"""Parameters from data: estimators with their uncertainty, and the fragment of config they make."""

"""`mm sweep`: parameters searched on what came before and judged on what came after."""

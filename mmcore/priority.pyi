"""Python face of queue positions: none; OrderTable.rows() shows the estimate."""

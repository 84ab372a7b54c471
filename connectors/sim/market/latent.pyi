"""Python face of the latent price: the regimes there are."""

REGIMES: dict[str, tuple[float, ...]]

"""How many examples a property is tried with: as many as it is worth, or a tenth of them in `make test-fast`."""

from hypothesis import HealthCheck, settings

# The same examples in every run: what drives the whole function must not fail a build by chance.
REPEATABLE = settings(
    derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def tried(examples: int, like: settings | None = None) -> settings:
    """Settings for so many examples; of a hundred, the profile in force tries its `max_examples`."""
    return settings(like, max_examples=examples * settings().max_examples // 100)

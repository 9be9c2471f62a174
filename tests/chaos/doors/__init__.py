"""stub"""
def knock(events: int, seed: int) -> tuple[int, list[str]]:
    return events, []

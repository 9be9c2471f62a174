"""The partitions of AWS: which one a region is in, and what the names of its hosts are like there. Pure.

Source: botocore's partitions.json.
"""

import re

SUFFIXES = {
    "cn-": "amazonaws.com.cn",  # aws-cn
    "eusc-": "amazonaws.eu",  # aws-eusc
    "us-iso-": "c2s.ic.gov",  # aws-iso
    "us-isob-": "sc2s.sgov.gov",  # aws-iso-b
    "eu-isoe-": "cloud.adc-e.uk",  # aws-iso-e
    "us-isof-": "csp.hci.ic.gov",  # aws-iso-f
    "": "amazonaws.com",  # aws, whose regions begin in many ways, and aws-us-gov
}
"""How the regions of a partition begin, and how its hosts end. The first row that fits decides."""

CONSOLES = {
    "cn-": "console.amazonaws.cn",
    "us-gov-": "console.amazonaws-us-gov.com",
    "eusc-": "{region}.console.amazonaws-eusc.eu",
    # The other partitions are for few, and so are the addresses of their consoles.
    **dict.fromkeys(("us-iso", "eu-iso"), ""),
    "": "{region}.console.aws.amazon.com",
}
"""How the regions of a partition begin, and the host of its console, which ends in another way; empty if unknown."""

# Not just any letters: the name of a VPC endpoint begins like a region, too.
_REGION = re.compile(r"(?:^|\.)((?:[a-z]{2}|eusc)(?:-[a-z]+)+-[0-9]+)\.")


def suffix_of(region: str) -> str:
    """How the names of the hosts in a region end, such as `amazonaws.com`."""
    return next(suffix for beginning, suffix in SUFFIXES.items() if region.startswith(beginning))


def console_of(region: str) -> str:
    """The host at which people see what is in a region, empty if it is not known."""
    host = next(host for beginning, host in CONSOLES.items() if region.startswith(beginning))
    return host.format(region=region)


def region_in(host: str) -> str:
    """The region that the name of a host holds, empty if it holds none."""
    found = _REGION.search(host)
    return found[1] if found else ""

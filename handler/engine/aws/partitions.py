"""The partitions of AWS: which one a region is in, and how the names of its hosts end there. Pure.

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

# Not just any letters: the name of a VPC endpoint begins like a region, too.
_REGION = re.compile(r"(?:^|\.)((?:[a-z]{2}|eusc)(?:-[a-z]+)+-[0-9]+)\.")


def suffix_of(region: str) -> str:
    """How the names of the hosts in a region end, such as `amazonaws.com`."""
    return next(suffix for beginning, suffix in SUFFIXES.items() if region.startswith(beginning))


def region_in(host: str) -> str:
    """The region that the name of a host holds, empty if it holds none."""
    found = _REGION.search(host)
    return found[1] if found else ""

"""Let Nova itself write one server into its databases: the pattern that the lab copies.

Run with the Python of the services.
"""

import os
import sys
from importlib import import_module
from typing import Any

PROJECT = "pattern"


def main() -> None:
    objects, contexts, context = _nova()
    cell = next(cell for cell in objects.CellMappingList.get_all(context) if cell.name == "cell1")
    with contexts.target_cell(context, cell) as in_cell:
        flavor = objects.Flavor(
            id=1, name="small", flavorid="1", memory_mb=512, vcpus=1, root_gb=1, ephemeral_gb=0, swap=0,
            rxtx_factor=1.0, vcpu_weight=0, disabled=False, is_public=True, extra_specs={}, projects=[],
        )  # fmt: skip
        server = objects.Instance(
            in_cell, project_id=PROJECT, user_id=PROJECT, image_ref="", display_name=PROJECT, hostname=PROJECT,
            vm_state="active", power_state=1, flavor=flavor, system_metadata={}, metadata={},
            memory_mb=512, vcpus=1, root_gb=1, ephemeral_gb=0, instance_type_id=1,
            info_cache=objects.InstanceInfoCache(network_info=import_module("nova.network.model").NetworkInfo()),
        )  # fmt: skip
        server.create()
    mapping = objects.InstanceMapping(
        context, instance_uuid=server.uuid, project_id=PROJECT, user_id=PROJECT, cell_mapping=cell,
        queued_for_delete=False,
    )  # fmt: skip
    mapping.create()


def _nova() -> tuple[Any, Any, Any]:
    import_module("nova.monkey_patch").patch(backend="threading")
    config: Any = import_module("nova.config")
    config.parse_args(sys.argv[:1], default_config_files=[os.environ["LAB_NOVA_CONF"]])
    objects: Any = import_module("nova.objects")
    objects.register_all()
    contexts: Any = import_module("nova.context")
    return objects, contexts, contexts.get_admin_context()


if __name__ == "__main__":
    main()

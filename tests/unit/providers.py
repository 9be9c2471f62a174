"""What the resources of two Terraform providers take, as far as our files use them.

`name` is an optional argument, `name!` a required one; `name{}` is a block, whose own arguments stand under
`resource.name`. Sources, which were read, since neither provider can be run here:

opentelekomcloud: docs/resources and the schemas in Go at 88f1cf1e (2024-10-24); fgs_function_v2 at 1ad822c7, LTS at
4685ee21, 85ba1c70 and 263d86b5; all of them compared with the classes that are generated from release 1.36.54.
obs_bucket: docs/resources at 029ce2e3.
huaweicloud: docs/resources at a0345b8d (2026-08-21), after release 1.97.1; obs_bucket at 04c85ed6.
"""

META = {"count", "depends_on", "for_each", "lifecycle"}
"""What Terraform itself takes in every resource."""

FUNCTION = """
    name! memory_size! runtime! timeout! handler app description functiongraph_version code_type code_url code_filename
    func_code user_data encrypted_user_data agency app_agency depend_list initializer_handler initializer_timeout vpc_id
    network_id dns_list max_instance_num concurrency_num enable_lts_log log_group_id log_group_name lts_custom_tag tags
    enterprise_project_id enable_auth_in_header enable_dynamic_memory enable_class_isolation ephemeral_storage
    heartbeat_handler restore_hook_handler restore_hook_timeout gpu_memory peering_cidr mount_user_id
    mount_user_group_id
"""
ASYNC = """
    function_urn! max_async_event_age_in_seconds! max_async_retry_attempts! on_success{} on_failure{}
"""
KEYWORDS = "condition! log_group_id! log_stream_id! number! search_time_range! search_time_range_unit!"
NOTIFICATION = "topics!{} user_name! language timezone "
FREQUENCY = "type! cron_expression day_of_week fixed_rate fixed_rate_unit hour_of_day"
CONDITION = "comparison_operator! count! filter! period! value! unit"
BUCKET = """
    bucket! acl cors_rule{} force_destroy lifecycle_rule{} logging{} parallel_fs region storage_class tags versioning
    website{}
"""
LIFECYCLE = """
    name! enabled! prefix expiration{} transition{} noncurrent_version_expiration{} noncurrent_version_transition{}
"""

ARGUMENTS = {
    "opentelekomcloud_fgs_function_v2": FUNCTION + "log_topic_id log_topic_name pre_stop_handler pre_stop_timeout",
    "opentelekomcloud_fgs_trigger_v2": "event_data! function_urn! type! status",
    "opentelekomcloud_fgs_async_invoke_config_v2": ASYNC,
    "opentelekomcloud_fgs_async_invoke_config_v2.on_failure": "destination! param!",
    "opentelekomcloud_smn_topic_v2": "name! display_name project_name tags",
    "opentelekomcloud_smn_subscription_v2": "endpoint! protocol! topic_urn! project_name remark",
    "opentelekomcloud_obs_bucket": BUCKET + "event_notifications{} server_side_encryption{}",
    "opentelekomcloud_obs_bucket.lifecycle_rule": LIFECYCLE,
    "opentelekomcloud_obs_bucket.lifecycle_rule.expiration": "days!",
    "opentelekomcloud_obs_bucket.lifecycle_rule.noncurrent_version_expiration": "days!",
    "opentelekomcloud_lts_group_v2": "group_name! ttl_in_days! group_alias tags",
    "opentelekomcloud_lts_stream_v2": "group_id! stream_name! stream_alias tags ttl_in_days",
    "opentelekomcloud_identity_role_v3": "description! display_layer! display_name! statement!{}",
    "opentelekomcloud_identity_role_v3.statement": "action! effect! condition resource",
    "opentelekomcloud_identity_agency_v3": "delegated_domain_name! name! description domain_roles project_role{}",
    "opentelekomcloud_identity_agency_v3.project_role": "roles! all_projects project",
    "opentelekomcloud_ces_alarmrule": """
        alarm_name! condition!{} metric!{} alarm_action_enabled alarm_actions{} alarm_description alarm_enabled
        alarm_level alarm_type ok_actions{}
    """,
    "opentelekomcloud_ces_alarmrule.metric": "metric_name! namespace! dimensions{}",
    "opentelekomcloud_ces_alarmrule.metric.dimensions": "name! value!",
    "opentelekomcloud_ces_alarmrule.condition": CONDITION + " alarm_frequency",
    "opentelekomcloud_ces_alarmrule.alarm_actions": "notification_list! type!",
    "opentelekomcloud_lts_keywords_alarm_rule_v2": """
        frequency!{} keywords_requests!{} name! notification_frequency! severity! alarm_action_rule_name description
        notification_rule{} recovery_policy send_notifications send_recovery_notifications trigger_condition_count
        trigger_condition_frequency
    """,
    "opentelekomcloud_lts_keywords_alarm_rule_v2.keywords_requests": KEYWORDS + " keyword!",
    "opentelekomcloud_lts_keywords_alarm_rule_v2.frequency": FREQUENCY,
    "opentelekomcloud_lts_keywords_alarm_rule_v2.notification_rule": NOTIFICATION + "template_name",
    "opentelekomcloud_lts_keywords_alarm_rule_v2.notification_rule.topics": "name! topic_urn! display_name push_policy",
    "huaweicloud_fgs_function": FUNCTION.replace("handler app", "handler! app!").replace("code_type", "code_type!")
    + """
        region log_stream_id log_stream_name gpu_type is_stateful_function user_data_encrypt_kms_key_id
        code_encrypt_kms_key_id
    """,
    "huaweicloud_fgs_function_trigger": "event_data! function_urn! type! region status cascade_delete_eg_subscription",
    "huaweicloud_fgs_async_invoke_configuration": ASYNC + "region enable_async_status_log",
    "huaweicloud_fgs_async_invoke_configuration.on_failure": "destination! param!",
    "huaweicloud_smn_topic": """
        name! display_name region users_publish_allowed services_publish_allowed introduction enterprise_project_id tags
    """,
    "huaweicloud_smn_subscription": "endpoint! protocol! topic_urn! region remark extension{}",
    "huaweicloud_obs_bucket": BUCKET + "policy policy_format quota multi_az enterprise_project_id",
    "huaweicloud_obs_bucket.lifecycle_rule": LIFECYCLE,
    "huaweicloud_obs_bucket.lifecycle_rule.expiration": "days!",
    "huaweicloud_obs_bucket.lifecycle_rule.noncurrent_version_expiration": "days!",
    "huaweicloud_lts_group": "group_name! ttl_in_days! region tags enterprise_project_id",
    "huaweicloud_lts_stream": "group_id! stream_name! region ttl_in_days tags enterprise_project_id is_favorite",
    "huaweicloud_identity_role": "description! name! policy! type!",
    "huaweicloud_identity_agency": """
        delegated_domain_name! name! all_resources_roles description domain_roles duration enterprise_project_roles{}
        force_dissociate_v5_policies project_role{}
    """,
    "huaweicloud_identity_agency.project_role": "project! roles!",
    "huaweicloud_ces_alarmrule": """
        alarm_name! metric!{} condition{} resources{} region alarm_template_id alarm_description alarm_enabled
        alarm_type alarm_actions{} ok_actions{} alarm_action_enabled notification_begin_time notification_end_time
        effective_timezone enterprise_project_id
    """,
    "huaweicloud_ces_alarmrule.metric": "namespace!",
    "huaweicloud_ces_alarmrule.resources": "dimensions{}",
    "huaweicloud_ces_alarmrule.resources.dimensions": "name! value",
    "huaweicloud_ces_alarmrule.condition": CONDITION + " metric_name! suppress_duration alarm_level",
    "huaweicloud_ces_alarmrule.alarm_actions": "notification_list! type!",
    "huaweicloud_lts_keywords_alarm_rule": """
        alarm_level! frequency!{} keywords_requests!{} name! region alarm_action_rule_name alarm_rule_alias description
        notification_frequency notification_save_rule{} recovery_frequency send_notifications
        send_recovery_notifications status trigger_condition_count trigger_condition_frequency
    """,
    "huaweicloud_lts_keywords_alarm_rule.keywords_requests": KEYWORDS + " keywords! log_group_name log_stream_name",
    "huaweicloud_lts_keywords_alarm_rule.frequency": FREQUENCY,
    "huaweicloud_lts_keywords_alarm_rule.notification_save_rule": NOTIFICATION + "template_name!",
    "huaweicloud_lts_keywords_alarm_rule.notification_save_rule.topics": "name! topic_urn! display_name push_policy",
}

EXPORTED = {"fgs_function": {"urn", "version"}, "smn_topic": {"topic_urn"}}
"""What can be read of a resource beside its arguments and its `id`; in both providers."""

# image-reaper on FunctionGraph, Open Telekom Cloud: deletes images that messages, timers and traces name. It rehearses
# until mode says delete. The same for Huawei Cloud is .huawei/functiongraph.tf.
#
# The credentials of the provider come from the environment (OS_DOMAIN_NAME, OS_PROJECT_NAME, OS_ACCESS_KEY, ...). They
# must be allowed to make an agency and a role. What comes before and after: .github/OPERATIONS.md, "On FunctionGraph".

terraform {
  required_version = ">= 1.5.0"
  required_providers {
    opentelekomcloud = {
      source  = "opentelekomcloud/opentelekomcloud"
      version = ">= 1.36.54, < 2.0.0"
    }
  }
}

provider "opentelekomcloud" {
  auth_url = "https://iam.${var.region_name}.otc.t-systems.com/v3"
}

variable "region_name" {
  description = "The region of the images and of the function (OS_REGION_NAME)"
  type        = string
  default     = "eu-de"
  validation {
    condition     = contains(["eu-de", "eu-nl"], var.region_name)
    error_message = "It must be eu-de or eu-nl."
  }
}

variable "package" {
  description = "The zip that `make package-functiongraph` makes; its path starts from this file"
  type        = string
  default     = "dist/image-reaper-functiongraph.zip"
  validation {
    condition     = can(regex("\\.zip$", var.package))
    error_message = "It must be a zip file."
  }
}

# ======== Both clouds: the same words in functiongraph.tf and .huawei/functiongraph.tf ========

# --- what it may do ---

variable "mode" {
  description = "dry-run makes every check and deletes nothing; delete is armed; paused fails every event (REAPER_MODE)"
  type        = string
  default     = "dry-run"
  nullable    = false
  validation {
    condition     = contains(["dry-run", "delete", "paused"], var.mode)
    error_message = "It must be dry-run, delete or paused."
  }
}

variable "image_api" {
  description = "The API that deletes (REAPER_IMAGE_API)"
  type        = string
  default     = "ims"
  validation {
    condition     = contains(["ims", "glance"], var.image_api)
    error_message = "It must be ims or glance. The others are discarded by these clouds."
  }
}

variable "max_images" {
  description = "Most DELETEs in one invocation; each repetition of an event counts anew (REAPER_MAX_IMAGES)"
  type        = number
  default     = 100
  validation {
    condition     = can(regex("^([0-9]{1,4}|10000)$", var.max_images))
    error_message = "It must be a whole number from 0 to 10000."
  }
}

variable "grace" {
  description = "Whether sweeps may mark images, which takes the right to change them (ims:images:update)"
  type        = bool
  default     = false
}

variable "in_use_check" {
  description = "Whether to ask if a server uses the image (REAPER_IN_USE_CHECK)"
  type        = string
  default     = "on"
  validation {
    condition     = contains(["on", "off"], var.in_use_check)
    error_message = "It must be on or off."
  }
}

variable "in_use_also" {
  description = "What counts as use of an image besides servers made from it (REAPER_IN_USE_ALSO)"
  type        = string
  default     = ""
  validation {
    condition = can(regex(
      "^$|^(snapshots|volumes|scaling|images)(,(snapshots|volumes|scaling|images))*$", var.in_use_also
    ))
    error_message = "It must be some of snapshots, volumes, scaling and images, separated by commas."
  }
}

variable "plan_life" {
  description = "For how long a plan may be carried out (REAPER_PLAN_LIFE)"
  type        = string
  default     = "7d"
  validation {
    condition     = can(regex("^0*[1-9][0-9]*[hdw]$", var.plan_life)) && length(var.plan_life) <= 6
    error_message = "It must be a whole number of hours, days or weeks, such as 12h, 30d or 2w."
  }
}

variable "min_age" {
  description = "Younger images are refused (REAPER_MIN_AGE)"
  type        = string
  default     = "0d"
  validation {
    condition     = can(regex("^[0-9]{1,5}[hdw]$", var.min_age))
    error_message = "It must be a whole number of hours, days or weeks, such as 12h, 30d or 2w."
  }
}

variable "keep_tag" {
  description = "An image with this tag, or a property of this name, is refused (REAPER_KEEP_TAG)"
  type        = string
  default     = "keep"
  validation {
    condition     = can(regex("^\\S{1,255}$", var.keep_tag))
    error_message = "It must be a tag without white space."
  }
}

variable "require_tag" {
  description = "An image without this tag is refused; empty asks for none (REAPER_REQUIRE_TAG)"
  type        = string
  default     = ""
  validation {
    condition     = length(var.require_tag) <= 255
    error_message = "It must have at most 255 characters."
  }
}

variable "allow_names" {
  description = "Globs, separated by commas: only images whose names match one may go; empty: all (REAPER_ALLOW_NAMES)"
  type        = string
  default     = ""
  validation {
    condition     = length(var.allow_names) <= 500
    error_message = "It must have at most 500 characters."
  }
}

variable "allow_shared" {
  description = "Whether an image that another project has accepted may go (REAPER_ALLOW_SHARED)"
  type        = string
  default     = "false"
  validation {
    condition     = contains(["true", "false"], var.allow_shared)
    error_message = "It must be true or false."
  }
}

# --- what it tells people ---

variable "notice_topic_urn" {
  description = "A topic of your own for notices; empty makes one, which people subscribe to (REAPER_NOTICE_TOPIC)"
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^$|^urn:smn:[a-z0-9-]+:[0-9a-f]{32}:[A-Za-z0-9_-]+$", var.notice_topic_urn))
    error_message = "It must be the URN of an SMN topic."
  }
}

variable "report_bucket_name" {
  description = "The OBS bucket for reports, plans and pages, no other may have its name; empty: none (REAPER_REPORT_BUCKET)"
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^$|^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.report_bucket_name))
    error_message = "It must be the name of an OBS bucket."
  }
}

variable "make_report_bucket" {
  description = "Whether that bucket is made here; false takes one that is there, in the same region"
  type        = bool
  default     = true
}

variable "owner_key" {
  description = "The property or tag of an image that names its owner, such as owner-mail (REAPER_OWNER_KEY)"
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^$|^\\S(.*\\S)?$", var.owner_key)) && length(var.owner_key) <= 255
    error_message = "It must be a property or a tag, without white space at its ends."
  }
}

# --- the cloud ---

variable "project_pin" {
  description = "The id of the project whose images may go, and in which the function runs (REAPER_PROJECT_ID)"
  type        = string
  validation {
    condition     = can(regex("^[0-9a-f]{32}$", var.project_pin))
    error_message = "It must be a project id: 32 hexadecimal digits."
  }
}

variable "project_name" {
  description = "The name of that project, such as eu-de_production: the only one in which the agency has rights"
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.project_name))
    error_message = "It must be the name of a project, such as eu-de_production."
  }
}

variable "image_endpoint" {
  description = "The image service; empty stands for that of the region (REAPER_IMAGE_ENDPOINT)"
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^$|^https://[^\\s/]+\\S*$", var.image_endpoint))
    error_message = "It must be an https address."
  }
}

variable "compute_endpoint" {
  description = "The compute service; empty stands for that of the region (REAPER_COMPUTE_ENDPOINT)"
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^$|^https://[^\\s/]+\\S*$", var.compute_endpoint))
    error_message = "It must be an https address."
  }
}

# --- when it runs ---

variable "max_instance_num" {
  description = "Most instances at the same time: events that come while all are busy are dropped; 0 stops the function"
  type        = number
  default     = 10
  nullable    = false
  validation {
    condition     = can(regex("^([0-9]{1,3}|1000)$", var.max_instance_num))
    error_message = "It must be a whole number from 0 to 1000."
  }
}

variable "schedule_state" {
  description = "Whether the timer runs"
  type        = string
  default     = "DISABLED"
  validation {
    condition     = contains(["DISABLED", "ENABLED"], var.schedule_state)
    error_message = "It must be DISABLED or ENABLED."
  }
}

variable "schedule_expression" {
  description = "When scheduled_request is carried out: second, minute, hour, day of the month, month, day of the week"
  type        = string
  default     = "0 30 3 * * *"
  validation {
    condition     = can(regex("^[0-9]{1,2}( [0-9A-Za-z,*?/-]+){4,5}$", var.schedule_expression))
    error_message = "It must have five or six fields, the first of them a second, such as 0 30 3 * * *."
  }
}

variable "schedule_timezone" {
  description = "The time zone of schedule_expression"
  type        = string
  default     = "UTC"
  validation {
    condition     = can(regex("^[A-Za-z0-9_+/-]+$", var.schedule_timezone))
    error_message = "It must be a name of the time zone database, such as Europe/Berlin."
  }
}

variable "scheduled_request" {
  description = "The request that the timer brings, a JSON object"
  type        = string
  default     = ""
  validation {
    condition     = var.scheduled_request == "" || can(keys(jsondecode(var.scheduled_request)))
    error_message = "It must be a JSON object."
  }
}

variable "lifecycle_request" {
  description = "The request that a new image stands for, a JSON object; empty: no traces (REAPER_LIFECYCLE_REQUEST)"
  type        = string
  default     = ""
  validation {
    condition     = var.lifecycle_request == "" || can(keys(jsondecode(var.lifecycle_request)))
    error_message = "It must be a JSON object."
  }
}

# --- alarms ---

variable "failed_endpoint" {
  description = "Where the topic of failures sends its messages: a mail or https address. The topic itself keeps none"
  type        = string
  validation {
    condition     = can(regex("^https://[^\\s/]+\\S*$|^[^@\\s:]+@[^@\\s:]+$", var.failed_endpoint))
    error_message = "It must be a mail address or an https address."
  }
}

variable "alarm_topic_urn" {
  description = "The topic that alarms are sent to; empty stands for the topic of failures"
  type        = string
  default     = ""
  validation {
    condition     = can(regex("^$|^urn:smn:[a-z0-9-]+:[0-9a-f]{32}:[A-Za-z0-9_-]+$", var.alarm_topic_urn))
    error_message = "It must be the URN of an SMN topic."
  }
}

variable "alarm_user_name" {
  description = "The IAM user in whose name the log service watches the log; empty watches only the metrics"
  type        = string
  default     = ""
  validation {
    condition     = length(var.alarm_user_name) <= 64
    error_message = "It must be the name of an IAM user."
  }
}

variable "missing_days" {
  description = "Days without any run after which an alarm is raised while the timer is enabled; 0 raises none"
  type        = number
  default     = 1
  validation {
    condition     = contains([0, 1, 2, 3, 4, 5], var.missing_days)
    error_message = "It must be a whole number from 0 to 5, which is what the cloud can count."
  }
}

# --- operation ---

variable "name" {
  description = "The name of the function and of everything that belongs to it"
  type        = string
  default     = "image-reaper"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "It must be 2 to 40 lower case letters, digits and hyphens, the first of them a letter."
  }
}

variable "timeout" {
  description = "Seconds for one invocation"
  type        = number
  default     = 900
  validation {
    condition     = contains(range(30, 901), var.timeout)
    error_message = "It must be a whole number from 30 to 900."
  }
}

variable "memory_size" {
  description = "MiB; processor time comes in proportion, and shortens the cold start"
  type        = number
  default     = 512
  validation {
    condition     = contains([256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096], var.memory_size)
    error_message = "It must be one of the sizes that FunctionGraph has, from 256 to 4096."
  }
}

variable "concurrency" {
  description = "Requests to the cloud in flight at once in one invocation (REAPER_CONCURRENCY)"
  type        = number
  default     = 16
  validation {
    condition     = contains(range(1, 129), var.concurrency)
    error_message = "It must be a whole number from 1 to 128."
  }
}

variable "log_level" {
  description = "The journal of deleted images is written at every level (POWERTOOLS_LOG_LEVEL)"
  type        = string
  default     = "INFO"
  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR"], var.log_level)
    error_message = "It must be DEBUG, INFO, WARNING or ERROR."
  }
}

variable "log_retention_days" {
  description = "How long the log is kept; it holds the only record of a deleted image"
  type        = number
  default     = 90
  validation {
    condition     = contains(range(1, 366), var.log_retention_days)
    error_message = "It must be a whole number from 1 to 365."
  }
}

locals {
  # A provider may leave a 0 out of what it sends, and the function would go on. Paused, it fails every event.
  mode = var.max_instance_num == 0 ? "paused" : var.mode

  # FunctionGraph takes 20 variables. Settings that somebody may look for in the console are variables of their own, and
  # win over those in REAPER_SETTINGS. An empty one is left out. None of them is a secret.
  user_data = merge(
    {
      REAPER_MODE             = local.mode
      REAPER_AUTH             = "agency"
      REAPER_CLOUD            = local.cloud
      OS_REGION_NAME          = var.region_name
      REAPER_PROJECT_ID       = var.project_pin
      REAPER_IMAGE_API        = var.image_api
      REAPER_MAX_IMAGES       = tostring(var.max_images)
      REAPER_FAILED_TO        = local.failures_topic_urn
      REAPER_NOTICE_TOPIC     = local.notices_topic_urn
      REAPER_SETTINGS         = jsonencode(local.settings)
      POWERTOOLS_SERVICE_NAME = var.name
      POWERTOOLS_LOG_LEVEL    = var.log_level
    },
    { for name, value in { REAPER_LIFECYCLE_REQUEST = var.lifecycle_request } : name => value if value != "" },
  )

  settings = { for name, value in {
    REAPER_IN_USE_CHECK     = var.in_use_check
    REAPER_IN_USE_ALSO      = var.in_use_also
    REAPER_PLAN_LIFE        = var.plan_life
    REAPER_MIN_AGE          = var.min_age
    REAPER_KEEP_TAG         = var.keep_tag
    REAPER_REQUIRE_TAG      = var.require_tag
    REAPER_ALLOW_NAMES      = var.allow_names
    REAPER_ALLOW_SHARED     = var.allow_shared
    REAPER_CONCURRENCY      = tostring(var.concurrency)
    REAPER_REPORT_BUCKET    = var.report_bucket_name
    REAPER_OWNER_KEY        = var.owner_key
    REAPER_IMAGE_ENDPOINT   = var.image_endpoint
    REAPER_COMPUTE_ENDPOINT = var.compute_endpoint
  } : name => value if value != "" }

  # The fewest rights that are enough; OPERATIONS.md says what each is for.
  actions = concat(
    ["ims:images:list", "ims:images:get", "ims:images:delete"],
    # Only those who may share an image may read with whom it is shared.
    ["ims:images:share"],
    # The marks of grace are tags.
    var.grace ? ["ims:images:update"] : [],
    # What uses an image: a list of servers takes three rights.
    var.in_use_check == "on" ? ["ecs:servers:list", "ecs:servers:get", "ecs:serverVolumes:use"] : [],
    var.in_use_check == "on" ? ["evs:volumes:list"] : [],
    strcontains(var.in_use_also, "scaling") ? ["as:configs:list"] : [],
    # Notices and failures are published, these also by FunctionGraph. Policies of SMN can't be limited to one topic.
    ["smn:topic:publish", "smn:topic:list"],
  )

  # Object storage belongs to all regions, and its rights to a policy of their own: to store below runs/, and no more.
  has_reports      = var.report_bucket_name != ""
  report_actions   = ["obs:object:PutObject"]
  report_resources = ["obs:*:*:object:${var.report_bucket_name}/runs/*"]

  asks_for_grace = anytrue([
    for text in [var.scheduled_request, var.lifecycle_request] : can(jsondecode(text).sweep.grace)
  ])
  is_scheduled    = var.schedule_state == "ENABLED"
  expects_runs    = local.is_scheduled && var.missing_days > 0
  alarm_topic_urn = var.alarm_topic_urn == "" ? local.failures_topic_urn : var.alarm_topic_urn

  # On the metrics that the cloud has of every function.
  metric_alarms = { for name, alarm in {
    errors    = { on = true, metric = "failcount", is = ">=", every = 300, times = 1 }
    throttles = { on = true, metric = "rejectcount", is = ">=", every = 300, times = 1 }
    missing   = { on = local.expects_runs, metric = "count", is = "<", every = 86400, times = max(var.missing_days, 1) }
  } : name => alarm if alarm.on }

  # There are no metrics of our own here: lines of the log take their place.
  log_alarms = { for name, alarm in {
    failed           = { on = true, line = "image.failed", is = ">=", hours = 1 }
    untouched        = { on = true, line = "images.untouched", is = ">=", hours = 1 }
    rejected         = { on = true, line = "request.rejected", is = ">=", hours = 1 }
    handed-over      = { on = true, line = "event.handed_over", is = ">=", hours = 1 }
    published        = { on = true, line = "messages.published", is = ">=", hours = 1 }
    fault            = { on = true, line = "run.fault", is = ">=", hours = 1 }
    not-stored       = { on = true, line = "report.not_stored", is = ">=", hours = 1 }
    not-sent         = { on = true, line = "notice.not_sent", is = ">=", hours = 1 }
    unarmed-deletion = { on = local.mode != "delete", line = "image.deleted", is = ">=", hours = 1 }
    silent           = { on = local.expects_runs, line = "run.finished", is = "<", hours = 24 }
  } : name => alarm if alarm.on && var.alarm_user_name != "" }
}

# ======== What only this cloud has ========

locals {
  cloud              = "otc"
  failures_topic_urn = opentelekomcloud_smn_topic_v2.failures.topic_urn
  notices_topic_urn  = var.notice_topic_urn == "" ? one(opentelekomcloud_smn_topic_v2.notices[*].topic_urn) : var.notice_topic_urn
}

resource "opentelekomcloud_fgs_function_v2" "reaper" {
  name                  = var.name
  app                   = "default"
  description           = "Deletes images that requests name or policies select; rehearses until mode says delete"
  functiongraph_version = "v2"
  # The only runtime that is new enough.
  runtime             = "Python3.12"
  handler             = "index.handler"
  initializer_handler = "index.initializer"
  initializer_timeout = 60
  code_type           = "zip"
  code_filename       = basename(var.package)
  func_code           = filebase64("${path.module}/${var.package}")
  memory_size         = var.memory_size
  timeout             = var.timeout
  # 0 stops the function at once, whatever triggers it.
  max_instance_num = tostring(var.max_instance_num)
  # FunctionGraph itself uses the first, to publish failures; the function signs with the keys of the second.
  agency     = opentelekomcloud_identity_agency_v3.reaper.name
  app_agency = opentelekomcloud_identity_agency_v3.reaper.name
  user_data  = jsonencode(local.user_data)

  log_group_id   = opentelekomcloud_lts_group_v2.log.id
  log_group_name = opentelekomcloud_lts_group_v2.log.group_name
  log_topic_id   = opentelekomcloud_lts_stream_v2.log.id
  log_topic_name = opentelekomcloud_lts_stream_v2.log.stream_name

  lifecycle {
    precondition {
      condition     = length(local.user_data) <= 20 && length(jsonencode(local.user_data)) <= 2048
      error_message = "FunctionGraph takes 20 variables of 2 KB altogether: shorten lifecycle_request or allow_names."
    }
    precondition {
      condition     = var.in_use_check == "on" || var.in_use_also == ""
      error_message = "in_use_also needs in_use_check = on."
    }
    precondition {
      condition     = !endswith(var.alarm_topic_urn, ":${var.name}-requests")
      error_message = "alarm_topic_urn is the topic of requests: each alarm would be a wrong request, and raise the next."
    }
    precondition {
      condition     = !endswith(var.notice_topic_urn, ":${var.name}-requests")
      error_message = "notice_topic_urn is the topic of requests: each notice would be a wrong request, and lead to the next."
    }
    precondition {
      condition     = var.grace || !local.asks_for_grace
      error_message = "scheduled_request or lifecycle_request has a grace period: set grace = true."
    }
  }
}

resource "opentelekomcloud_fgs_async_invoke_config_v2" "reaper" {
  function_urn = opentelekomcloud_fgs_function_v2.reaper.urn
  # Each repetition of a failed event may delete max_images more: nothing is counted over all of them here.
  max_async_retry_attempts       = 2
  max_async_event_age_in_seconds = 3600
  on_failure {
    destination = "SMN"
    param       = jsonencode({ topic_urn = local.failures_topic_urn })
  }
}

resource "opentelekomcloud_fgs_trigger_v2" "timer" {
  function_urn = opentelekomcloud_fgs_function_v2.reaper.urn
  type         = "TIMER"
  status       = local.is_scheduled ? "ACTIVE" : "DISABLED"
  event_data = jsonencode({
    name          = "${var.name}-schedule"
    schedule_type = "Cron"
    schedule      = "CRON_TZ=${var.schedule_timezone} ${var.schedule_expression}"
    user_event    = var.scheduled_request
  })
  lifecycle {
    precondition {
      condition     = !local.is_scheduled || var.scheduled_request != ""
      error_message = "schedule_state ENABLED needs a scheduled_request."
    }
  }
}

# Whoever may publish here can have images deleted.
resource "opentelekomcloud_smn_topic_v2" "requests" {
  name         = "${var.name}-requests"
  display_name = "image-reaper: requests"
}

resource "opentelekomcloud_fgs_trigger_v2" "requests" {
  function_urn = opentelekomcloud_fgs_function_v2.reaper.urn
  type         = "SMN"
  event_data   = jsonencode({ topic_urn = opentelekomcloud_smn_topic_v2.requests.topic_urn })
}

# Failures, and the alarms. The function must never subscribe to this topic: it would fail on its own failures.
resource "opentelekomcloud_smn_topic_v2" "failures" {
  name         = "${var.name}-failures"
  display_name = "image-reaper: what failed"
}

resource "opentelekomcloud_smn_subscription_v2" "failures" {
  topic_urn = opentelekomcloud_smn_topic_v2.failures.topic_urn
  protocol  = startswith(var.failed_endpoint, "https://") ? "https" : "email"
  endpoint  = var.failed_endpoint
}

# What would go, was marked, was deleted or failed, for people. They subscribe to it; the function must never do so.
resource "opentelekomcloud_smn_topic_v2" "notices" {
  count        = var.notice_topic_urn == "" ? 1 : 0
  name         = "${var.name}-notices"
  display_name = "image-reaper: notices"
}

# `terraform destroy` fails for as long as something is in it.
resource "opentelekomcloud_obs_bucket" "reports" {
  count      = local.has_reports && var.make_report_bucket ? 1 : 0
  bucket     = var.report_bucket_name
  acl        = "private"
  versioning = true
  lifecycle_rule {
    name    = "a-year-and-some-days"
    enabled = true
    expiration {
      days = 400
    }
    noncurrent_version_expiration {
      days = 30
    }
  }
}

# A trace says that an image is being made. The function reads the image before it does anything.
resource "opentelekomcloud_fgs_trigger_v2" "traces" {
  count        = var.lifecycle_request == "" ? 0 : 1
  function_urn = opentelekomcloud_fgs_function_v2.reaper.urn
  type         = "CTS"
  event_data = jsonencode({
    name = replace("${var.name}_traces", "-", "_")
    # The image service has two types of resource in its traces: its own, and that of OpenStack's API.
    operations = ["IMS:ims:createImage", "IMS:image:createImage"]
  })
}

resource "opentelekomcloud_lts_group_v2" "log" {
  group_name  = var.name
  ttl_in_days = var.log_retention_days
}

resource "opentelekomcloud_lts_stream_v2" "log" {
  group_id    = opentelekomcloud_lts_group_v2.log.id
  stream_name = var.name
}

resource "opentelekomcloud_identity_role_v3" "reaper" {
  display_name  = var.name
  description   = "What image-reaper may do"
  display_layer = "project"
  statement {
    effect = "Allow"
    action = local.actions
  }
}

resource "opentelekomcloud_identity_role_v3" "reports" {
  count         = local.has_reports ? 1 : 0
  display_name  = "${var.name}-reports"
  description   = "What image-reaper may store"
  display_layer = "domain"
  statement {
    effect   = "Allow"
    action   = local.report_actions
    resource = local.report_resources
  }
}

# FunctionGraph needs some minutes to learn of a new agency: until then, requests to the cloud are denied.
resource "opentelekomcloud_identity_agency_v3" "reaper" {
  name                  = var.name
  description           = "The identity of image-reaper on FunctionGraph"
  delegated_domain_name = "op_svc_cff"
  project_role {
    project = var.project_name
    roles   = [opentelekomcloud_identity_role_v3.reaper.display_name]
  }
  # Object storage looks into a project of this name, which every account has, and into the account itself.
  dynamic "project_role" {
    for_each = opentelekomcloud_identity_role_v3.reports
    content {
      project = "MOS"
      roles   = [project_role.value.display_name]
    }
  }
  domain_roles = opentelekomcloud_identity_role_v3.reports[*].display_name
}

resource "opentelekomcloud_ces_alarmrule" "metric" {
  for_each          = local.metric_alarms
  alarm_name        = "${var.name}-${each.key}"
  alarm_description = "See OPERATIONS.md, alarm ${each.key}"
  metric {
    namespace   = "SYS.FunctionGraph"
    metric_name = each.value.metric
    dimensions {
      name  = "package-functionname"
      value = "default-${var.name}"
    }
  }
  condition {
    period              = each.value.every
    filter              = "sum"
    comparison_operator = each.value.is
    value               = 1
    count               = each.value.times
    alarm_frequency     = 86400
  }
  alarm_actions {
    type              = "notification"
    notification_list = [local.alarm_topic_urn]
  }
}

resource "opentelekomcloud_lts_keywords_alarm_rule_v2" "log" {
  for_each               = local.log_alarms
  name                   = "${var.name}-${each.key}"
  description            = "See OPERATIONS.md, alarm ${each.key}"
  severity               = "MAJOR"
  send_notifications     = true
  notification_frequency = 60
  keywords_requests {
    log_group_id           = opentelekomcloud_lts_group_v2.log.id
    log_stream_id          = opentelekomcloud_lts_stream_v2.log.id
    keyword                = each.value.line
    condition              = each.value.is
    number                 = 1
    search_time_range      = each.value.hours
    search_time_range_unit = "hour"
  }
  frequency {
    type = "HOURLY"
  }
  notification_rule {
    user_name = var.alarm_user_name
    language  = "en-us"
    timezone  = "UTC"
    topics {
      name      = element(split(":", local.alarm_topic_urn), 4)
      topic_urn = local.alarm_topic_urn
    }
  }
}

output "function_urn" {
  description = "The function, to invoke it directly"
  value       = opentelekomcloud_fgs_function_v2.reaper.urn
}

output "requests_topic_urn" {
  description = "The topic that takes requests"
  value       = opentelekomcloud_smn_topic_v2.requests.topic_urn
}

output "failures_topic_urn" {
  description = "The topic of failures"
  value       = local.failures_topic_urn
}

output "notices_topic_urn" {
  description = "The topic of notices, to subscribe to"
  value       = local.notices_topic_urn
}

output "report_bucket_name" {
  description = "The bucket of the reports; empty if there is none"
  value       = var.report_bucket_name
}

output "agency_name" {
  description = "The identity of the function"
  value       = opentelekomcloud_identity_agency_v3.reaper.name
}

output "log_group_id" {
  description = "The log group, whose one stream has the journal of deleted images"
  value       = opentelekomcloud_lts_group_v2.log.id
}

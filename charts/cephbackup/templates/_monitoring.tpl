{{/* A duration of the values (90s, 15m, 26h, 7d) in seconds, for PromQL. */}}
{{- define "cephbackup.seconds" -}}
{{- $unit := . | trunc -1 -}}
{{- $factors := dict "s" 1 "m" 60 "h" 3600 "d" 86400 -}}
{{- mulf (. | trimSuffix $unit | float64) (get $factors $unit) | int64 -}}
{{- end -}}

{{/* Takes the anchor of an alert in docs/operations.md. */}}
{{- define "cephbackup.runbook" -}}
runbook: docs/operations.md#{{ . }}
{{- end -}}
